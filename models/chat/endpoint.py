"""Where a model is asked: its address, how httpx reaches it, and what can go wrong on the way, in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from common.errors import ServerError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoint:
    """The address of one model on a server that speaks the OpenAI protocol."""

    url: str
    """Ends in /v1, e.g. http://127.0.0.1:8001/v1."""
    model: str
    """The name the server knows the model by."""
    api_key: str = ""


def client_options(endpoint: Endpoint) -> dict[str, Any]:
    """How httpx reaches an endpoint: with its key, and without the environment's proxy where it is on this machine.

    Raises ServerError for a key that no request can carry, httpx.InvalidURL for what is not an address.
    """
    key = endpoint.api_key
    if not (key.isascii() and key.isprintable()):
        raise ServerError(
            "The API key has characters that no key has.", "Set the right key in this server's variable.", "refused"
        )
    return {
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "trust_env": httpx.URL(endpoint.url).host not in LOOPBACK,
        "verify": endpoint.url.startswith("https"),
    }


@contextmanager
def plain_errors(endpoint: Endpoint, silence_seconds: float) -> Iterator[None]:
    """Turn what can go wrong on the way to a server into ServerError. `silence_seconds`: how long it was waited for."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServerError(
            f"The model server at {endpoint.url} does not answer.", "Wait until it is ready, or look into its log."
        ) from error
    except httpx.TimeoutException as error:
        raise silence_error(silence_seconds) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise ServerError(
            f"{endpoint.url} is not an address.", "Write it like http://host:8000/v1.", "refused"
        ) from error
    except httpx.RequestError as error:
        raise ServerError(
            "The connection to the model server broke in the middle of the reply.", "Try again."
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ServerError("The model server's answer is not of the OpenAI protocol.", "Check the address.") from error


def silence_error(seconds: float) -> ServerError:
    """For a server that has said nothing for so long."""
    return ServerError(
        f"The model server has sent nothing for {seconds:g} s, and the reply was given up.",
        "Try again when fewer requests are waiting.",
    )
