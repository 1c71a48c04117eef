"""The address of a model, how httpx reaches it, and clear errors for what can go wrong on the way."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from common.errors import ServerError

KEPT_SECONDS = 2.0
"""How long an idle connection is kept open: shorter than servers wait before closing it."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Endpoint:
    """The address of one model on a server that speaks the OpenAI protocol."""

    url: str
    """Ends in /v1, e.g. http://127.0.0.1:8001/v1."""
    model: str
    """The name the server knows the model by."""
    api_key: str = ""
    refused: set[str] = field(default_factory=set, compare=False, repr=False)
    """Options that its server has refused (`OPTIONAL` in refusals.py): whoever asks there next leaves them out."""


def client_options(endpoint: Endpoint) -> dict[str, Any]:
    """Options for httpx: the key, and no proxy for an address on this machine.

    Raises ServerError for a key that cannot be sent in a header and httpx.InvalidURL for a bad address.
    """
    key = endpoint.api_key
    if not (key.isascii() and key.isprintable()):
        raise ServerError(
            "The API key contains characters that a key cannot have.",
            "Check the key in this server's variable.",
            "refused",
        )
    return {
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "trust_env": httpx.URL(endpoint.url).host not in LOOPBACK,
        "verify": endpoint.url.startswith("https") and _certificates(),
    }


def local_transport(endpoint: Endpoint) -> httpx.AsyncBaseTransport | None:
    """A transport for a server on this machine: aiohttp reads a stream in half the CPU time that httpx alone needs.

    None for any other server, where httpx must handle proxies and certificates.
    """
    url = httpx.URL(endpoint.url)
    if url.scheme != "http" or url.host not in LOOPBACK:
        return None
    return AiohttpTransport(verify=False, limits=httpx.Limits(max_connections=0, keepalive_expiry=KEPT_SECONDS))


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Loaded only once, since it takes 50 ms."""
    return httpx.create_ssl_context()


@contextmanager
def plain_errors(endpoint: Endpoint, silence_seconds: float) -> Iterator[None]:
    """Turn errors of the connection into ServerError. `silence_seconds`: how long we waited."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServerError(
            f"The model server at {endpoint.url} does not answer.", "Wait until it is ready, or check its log."
        ) from error
    except httpx.TimeoutException as error:
        raise silence_error(silence_seconds) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise ServerError(
            f"{endpoint.url} is not an address.", "Write it like http://host:8000/v1.", "refused"
        ) from error
    except (httpx.RequestError, aiohttp.ClientError) as error:
        raise ServerError("The connection to the model server broke during the reply.", "Try again.") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ServerError(
            "The model server's answer does not follow the OpenAI protocol.", "Check the address."
        ) from error


def silence_error(seconds: float) -> ServerError:
    """The error for a server that has sent nothing for this long."""
    return ServerError(
        f"The model server has sent nothing for {seconds:g} s, so the request was cancelled.",
        "Try again when fewer requests are waiting.",
    )
