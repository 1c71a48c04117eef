"""A client for one side of a served pair: the only place that knows what belongs to it."""

from typing import Protocol

from models.chat.client import Endpoint, ModelClient
from models.chat.wire import SILENCE_SECONDS
from models.config.registry import PairSpec, Role
from models.serving.in_process.channel import LocalEndpoint


class Served(Protocol):
    """What it takes to ask the models of a pair: `ServedPair`, or a stand-in."""

    @property
    def pair(self) -> PairSpec: ...

    async def wait_ready(self, role: Role, timeout: float | None = None) -> Endpoint: ...  # noqa: ASYNC109


async def client_of(
    served: Served,
    role: Role,
    timeout: float | None = None,  # noqa: ASYNC109
    *,
    silence_seconds: float | None = SILENCE_SECONDS,
) -> ModelClient:
    """A client for one side, once it is ready: with the thought format, template options and system prompt that
    spaces.yaml gives its model. It opens no connection before it is used. Raises ServerError, see `wait_ready`.

    `silence_seconds`: how long its server may send nothing; None where the caller sees to that.
    """
    endpoint = await served.wait_ready(role, timeout)
    spec = served.pair.model(role)
    known = (endpoint, spec.thought, spec.chat_template_kwargs, spec.system_prompt)
    channel = endpoint.channel if isinstance(endpoint, LocalEndpoint) else None
    return ModelClient(*known, silence_seconds=silence_seconds, channel=channel)
