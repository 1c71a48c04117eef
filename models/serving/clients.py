"""A client for one side of a served pair: the only place that knows what belongs to it."""

from typing import Protocol

from models.chat.client import Endpoint, ModelClient
from models.config.registry import PairSpec, Role
from models.serving.in_process.channel import LocalEndpoint


class Served(Protocol):
    """What it takes to ask the models of a pair: `ServedPair`, or a stand-in."""

    @property
    def pair(self) -> PairSpec: ...

    async def wait_ready(self, role: Role, timeout: float | None = None) -> Endpoint: ...  # noqa: ASYNC109


async def client_of(served: Served, role: Role, timeout: float | None = None) -> ModelClient:  # noqa: ASYNC109
    """A client for one side, once it is ready: with the thought format, template options and system prompt that
    spaces.yaml gives its model. It opens no connection before it is used. Raises ServerError, see `wait_ready`.
    """
    endpoint = await served.wait_ready(role, timeout)
    spec = served.pair.model(role)
    known = (endpoint, spec.thought, spec.chat_template_kwargs, spec.system_prompt)
    return ModelClient(*known, channel=endpoint.channel) if isinstance(endpoint, LocalEndpoint) else ModelClient(*known)
