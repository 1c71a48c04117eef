"""Builds the client for one side of a served pair; the only place that knows what it needs."""

from typing import Protocol

from models.chat.client import Endpoint, ModelClient
from models.chat.wire import SILENCE_SECONDS
from models.config.registry import PairSpec, Role
from models.serving.in_process.channel import LocalEndpoint


class Served(Protocol):
    """The interface for asking the models of a pair: `ServedPair`, or a stand-in."""

    @property
    def pair(self) -> PairSpec: ...

    async def wait_ready(self, role: Role, timeout: float | None = None) -> Endpoint: ...  # noqa: ASYNC109


async def client_of(
    served: Served,
    role: Role,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    silence_seconds: float | None = SILENCE_SECONDS,
    end_repetition: bool = False,
) -> ModelClient:
    """Wait until one side is ready and return a client with its model's thought format, template options and system
    prompt from spaces.yaml. No connection is opened before first use. Raises ServerError, see `wait_ready`.

    `silence_seconds`: how long its server may send nothing; None if the caller handles that. `end_repetition`: for
    replies that a person waits for.
    """
    endpoint = await served.wait_ready(role, timeout)
    spec = served.pair.model(role)
    known = (endpoint, spec.thought, spec.chat_template_kwargs, spec.system_prompt)
    channel = endpoint.channel if isinstance(endpoint, LocalEndpoint) else None
    return ModelClient(*known, silence_seconds=silence_seconds, end_repetition=end_repetition, channel=channel)
