"""What a server's refusal means, in words for a person."""

import json
import re

import httpx

from common.errors import ServerError


class UnknownOptionError(ServerError):
    """The server does not know an option; the request can be made without it."""


class NoTokenizerError(ServerError):
    """The server cannot say which tokens a text is; it can still answer."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"The server at {url} has no {what}, which going on from a reply and a thinking budget need.",
            "Use a vLLM server for this.",
        )


async def check(response: httpx.Response) -> None:
    """Raise ServerError, in words, for an answer that is a refusal."""
    if response.status_code == 200:
        return
    words = refusal_words(await response.aread())
    if response.status_code in (401, 403):
        raise ServerError("The model server refused the API key.", "Set the right key in this server's variable.")
    if response.status_code == 429:
        raise ServerError("The model server has too many requests.", "Wait a little and try again.")
    if response.status_code in (400, 413, 422):
        if too_long := read_context_error(words):
            raise too_long
        if re.search(r"continuous_usage_stats|max_completion_tokens", words):
            raise UnknownOptionError(words)
    raise ServerError(f"The model server refused the request ({response.status_code}): {words}")


def refusal_words(body: bytes) -> str:
    """The message in a refusal, whatever its form, at most 500 characters of it."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:500]
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    words = error.get("message", error) if isinstance(error, dict) else error
    return str(words)[:500]


def read_context_error(words: str) -> ServerError | None:
    """The error for a prompt that does not fit, with what fits, if `words` are a server's refusal for that reason."""
    context = re.search(r"context length (?:is|of) (\d+)|maximum context length \((\d+)\)", words)
    if not context:
        return None
    fits = int(context[1] or context[2])
    prompt = re.search(r"(?:at least )?\d+ (?:input tokens|in the messages|characters)|Input length \(\d+\)", words)
    found = f" ({prompt[0]})" if prompt else ""
    return ServerError(
        f"The conversation is too long for this model{found}: its context holds {fits} tokens, prompt and reply "
        "together.",
        "Shorten the question or begin a new conversation.",
    )
