"""Watches a model server at a given address, as if it were our own."""

import time

import httpx

from common.errors import ServerError
from models.chat.endpoint import Endpoint, client_options, plain_errors
from models.serving.life import Life

PROBE_EVERY_SECONDS = 5.0
PROBE_SECONDS = 10.0
UNREACHED_SECONDS = 8.0
"""How long until a server that has never answered counts as failed. Polling goes on, so it may still come up."""
COMES_UP = (429, 503)
"""HTTP statuses of a server that is running, but still loading its model or busy."""


class RemoteServer(Life):
    """A server at a given address. Nothing is started; its list of models is polled."""

    def __init__(self, name: str, url: str, model: str, api_key: str, key_env: str) -> None:
        super().__init__(name)
        self.url = url.rstrip("/")
        self.model = model
        self.api_key = api_key
        self._key_env = key_env or "the API key variable"
        self._was_ready = False
        self._begun = 0.0
        self._owner = ""
        self._software: dict[str, str] = {}
        self._refused: set[str] = set()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.url, self.model, self.api_key, self._refused)

    def software(self) -> dict[str, str]:
        """What the server says it is, by name and version; empty before it is ready."""
        return dict(self._software)

    def _live(self) -> None:
        self._was_ready, self._begun = False, time.monotonic()
        self._set("loading", f"waiting for {self.url}")
        while not self._stop.is_set():
            try:
                with plain_errors(self.endpoint, PROBE_SECONDS):
                    self._look()
            except ServerError as error:
                self._set("failed", str(error))
            self._stop.wait(PROBE_EVERY_SECONDS)
        self._set("stopped")

    def _look(self) -> None:
        """Poll it and set the status. Raises ServerError, or an error for `plain_errors`, if waiting will not help."""
        comes_up = False
        try:
            self._probe()
            # Asked again after an outage: it may have come back as another version.
            if self.status().phase != "ready":
                self._software = self._asked_software()
                self._refused.clear()
            self._was_ready = True
            self._set("ready")
            return
        except httpx.UnsupportedProtocol:
            raise
        except httpx.HTTPStatusError as error:
            reason, comes_up = f"status {error.response.status_code}", error.response.status_code in COMES_UP
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
        if not (self._was_ready or comes_up) and time.monotonic() - self._begun > UNREACHED_SECONDS:
            raise ServerError(
                f"{self.url} does not answer ({reason}).", f"It is tried again every {PROBE_EVERY_SECONDS:.0f} s."
            )
        self._set("restarting" if self._was_ready else "loading", f"waiting for {self.url} ({reason})", down=True)

    def _probe(self) -> None:
        """Raises httpx.HTTPError while out of reach, ServerError where waiting will not help."""
        answer = httpx.get(f"{self.url}/models", **client_options(self.endpoint), timeout=PROBE_SECONDS)
        if answer.status_code in (401, 403):
            raise ServerError(f"{self.url} refuses the API key.", f"Set {self._key_env} to a valid one.")
        if answer.is_redirect or answer.status_code in (404, 405, 410):
            raise self._not_a_model_server()
        answer.raise_for_status()
        try:
            listed = answer.json()["data"]
            models = [str(entry["id"]) for entry in listed]
            self._owner = next((str(entry.get("owned_by") or "") for entry in listed), "")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._not_a_model_server() from error
        if not self.model and models:
            self.model = models[0]
        if self.model not in models:
            raise ServerError(
                f"{self.url} has no model {self.model!r}; it has: {', '.join(models) or 'none'}.",
                "Correct the model's name.",
            )

    def _asked_software(self) -> dict[str, str]:
        """vLLM has a version endpoint and calls itself the owner of its models; others reveal only the owner."""
        owner = self._owner or "unknown"
        try:
            answer = httpx.get(
                f"{self.url.removesuffix('/v1')}/version", **client_options(self.endpoint), timeout=PROBE_SECONDS
            )
            version = answer.json()["version"] if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            version = None
        return {owner: version if isinstance(version, str) else "unknown version"}

    def _not_a_model_server(self) -> ServerError:
        return ServerError(f"{self.url} does not speak the OpenAI protocol.", "Give an address that ends in /v1.")
