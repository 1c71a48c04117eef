"""What a server's refusal means, in plain words, and whether retrying could help."""

import json
import re
from typing import Any, NamedTuple

import httpx

from common.errors import ServerError

MOST_WORDS = 500
"""How many characters of a server's message are shown."""
MAY_PASS = frozenset((408, 409, 425, 429))
"""Statuses below 500 for which a retry may succeed."""
OPTIONAL = {
    "continuous_usage_stats": "continuous_usage_stats",
    "repetition_detection": "repetition_detection",
    "max_tokens": "max_completion_tokens",
    "stream_options": "stream_options",
}
"""Options of a request that not every server knows, and the word that a refusal of each has in it: its name, or that of
the option to send in its place. A name that others have in theirs comes last."""
MAY_BE_UNKNOWN = re.compile("|".join(OPTIONAL.values()))


class UnknownOptionError(ServerError):
    """The server does not know an option; the request can be sent without it."""


class NoTokenizerError(ServerError):
    """The server has no tokenize endpoint; it can still reply."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(
            f"The server at {url} has no {what}, which is needed to continue a reply and for thinking budgets.",
            "Use a vLLM server for this.",
            "refused",
        )


class NoScoresError(ServerError):
    """The server does not offer log-probabilities of prompt tokens."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The server at {url} does not give the log-probabilities of a prompt (`prompt_logprobs`).",
            "Use a vLLM server for this.",
            "refused",
        )


async def check(response: httpx.Response) -> None:
    """Raise ServerError if the answer is a refusal."""
    if response.status_code == 200:
        return
    words = refusal_words(await response.aread())
    if response.status_code in (400, 422) and MAY_BE_UNKNOWN.search(words):
        raise length_refusal(words) or UnknownOptionError(words, refusal="refused")
    raise refusal(response.status_code, words, f"The model server refused the request ({response.status_code}): ")


def refusal(status: int, words: str, before: str) -> ServerError:
    """The error for a refusal with this status and message; `before` introduces the message."""
    if status in (401, 403):
        return ServerError(
            f"The model server refused the API key. {before}{words}".rstrip(": "),
            "Check the key in this server's variable.",
            "refused",
        )
    if too_long := length_refusal(words):
        return too_long
    if status == 413:
        return ServerError(f"The prompt is too long for this server: {words}", "Shorten the question.", "too_long")
    if status == 429:
        return ServerError(f"The model server has too many requests: {words}", "Try again in a moment.")
    return ServerError(f"{before}{words}", refusal="refused" if 400 <= status < 500 and status not in MAY_PASS else "")


def refusal_words(body: bytes) -> str:
    """The message in a refusal, whatever its form."""
    try:
        return error_words(json.loads(body))
    except (ValueError, RecursionError):
        return body.decode(errors="replace").strip()[:MOST_WORDS]


def error_words(error: Any) -> str:
    """The message in an error, whatever its form: the innermost text under one of the names servers use, after the
    place in the request that it is about, where the error names that apart (`loc`, as FastAPI does)."""
    if isinstance(error, dict):
        loc = error.get("loc")
        place = ".".join(map(str, loc)) + ": " if loc and isinstance(loc, list) else ""
        for name in ("error", "message", "detail", "errors", "error_message", "msg", "reason"):
            if error.get(name) and error[name] is not True:
                return f"{place}{error_words(error[name])}"[:MOST_WORDS]
        return json.dumps(error, ensure_ascii=False, default=str)[:MOST_WORDS]
    if isinstance(error, list):
        return "; ".join(map(error_words, error[:3]))[:MOST_WORDS]
    return str(error)[:MOST_WORDS]


TOO_LONG = re.compile(
    r"context[ _](length|window|size|limit)|exceed_context|context_length_exceeded|string_above_max_length"
    r"|maximum (input|prompt|sequence|allowed) (length|size)|max_(model|seq|input)_len|reduce the length"
    r"|(prompt|inputs?`?|input length|messages?|conversation)\b.{0,80}(too (long|large|many)|exceed|must have less)"
    r"|max_\w*tokens`?'?\b.{0,80}(too (large|high|big)|exceed|at most|must be <=|less than or equal|maximum|> \d)"
    r"|too many (input |prompt )?tokens",
    re.IGNORECASE | re.DOTALL,
)
CONTEXT = re.compile(
    r"context (?:length|window|size)(?: is| of| only|: | \(|=|'s)*\D{0,12}(\d+)|(\d+) maximum context"
    r"|maximum allowed length \(?(\d+)|tokens > (\d+) maximum|`max_new_tokens` must be <= (\d+)"
    r"|must have less than (\d+) tokens|n_ctx\D{0,4}(\d+)",
    re.IGNORECASE,
)
PROMPT = re.compile(
    r"(?:at least )?(\d+) (?:input tokens|tokens (?:from|in) the (?:input )?(?:messages|prompt)|in the messages"
    r"|`inputs` tokens|prompt tokens|characters)"
    r"|(?:input length|prompt is too long|prompt contains|n_prompt_tokens|Given)\D{0,4}(\d+)(?: tokens)?",
    re.IGNORECASE,
)
SUM = re.compile(r"(\d+) \+ (\d+) > (\d+)")
LIMIT = re.compile(r"max_\w*tokens\b|completion tokens|output tokens|in the completion", re.IGNORECASE)


class Lengths(NamedTuple):
    """The lengths named in a refusal, in tokens (the prompt's may be in characters); None if not named."""

    prompt: int | None
    context: int | None
    prompt_words: str
    """As the server writes it, e.g. `at least 4097 input tokens`."""


def length_refusal(words: str) -> ServerError | None:
    """The error for a request that does not fit the model's context, if that is what the message says.

    It says which was too long: the prompt, or the token limit of the reply.
    """
    if not TOO_LONG.search(words):
        return None
    lengths = read_lengths(words)
    if _limit_is_at_fault(words, lengths):
        room = ""
        if lengths.context and lengths.prompt is not None:
            left = lengths.context - lengths.prompt
            room = f": its context holds {lengths.context} tokens, and the prompt of {lengths.prompt} leaves {left}"
        return ServerError(
            f"The token limit is too high for this model{room or f'. The server says: {words}'}.".replace("..", "."),
            "Lower the token limit.",
            "limit_too_high",
        )
    prompt = f" ({lengths.prompt_words})" if lengths.prompt_words else ""
    if lengths.context:
        room = f"its context holds {lengths.context} tokens, prompt and reply together"
    else:
        room = f"the server says: {words.rstrip('.')}"
    return ServerError(
        f"The prompt is too long for this model{prompt}: {room}.",
        "Shorten the question or start a new conversation.",
        "too_long",
    )


def read_lengths(words: str) -> Lengths:
    """The numbers in a server's message about length."""
    if both := SUM.search(words):
        return Lengths(int(both[1]), int(both[3]), f"{both[1]} tokens")
    context, prompt = CONTEXT.search(words), PROMPT.search(words)
    return Lengths(
        int(next(filter(None, prompt.groups()))) if prompt else None,
        int(next(filter(None, context.groups()))) if context else None,
        prompt[0] if prompt else "",
    )


def _limit_is_at_fault(words: str, lengths: Lengths) -> bool:
    """If the prompt alone would fit, the token limit is too high. Without numbers, the wording decides."""
    if "characters" in lengths.prompt_words:
        return False
    if lengths.prompt is not None and lengths.context is not None:
        return lengths.prompt < lengths.context
    return bool(LIMIT.search(words)) and not re.search(r"prompt is too long|input is too long", words, re.IGNORECASE)
