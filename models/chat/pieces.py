"""The pieces in which a reply arrives, streamed or whole: text, thought, token counts and finish reason."""

import re
from typing import Any, NamedTuple

from common.errors import ServerError
from common.text import whole_characters
from models.chat.events import FinishReason
from models.chat.refusals import error_words, refusal

FINISH: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_token", "stop_sequence", "end_turn", "end", "done"), "stop"),
    **dict.fromkeys(("complete", "completed", "finished", "stop_str"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_new_tokens", "max_output_tokens", "max_length"), "length"),
    **dict.fromkeys(("model_length", "token_limit", "context_length", "context_window_exceeded"), "length"),
    "repetition": "repetition",
}
"""Finish reasons of vLLM, OpenAI, llama.cpp, TGI, SGLang, Gemini, Anthropic, Mistral, Cohere, in lower case."""
BROKEN = frozenset(("error", "abort", "aborted", "cancelled", "canceled", "failed"))
"""Finish reasons of a reply that the server did not complete."""
THOUGHT_FIELDS = ("reasoning", "reasoning_content", "thinking", "reasoning_details")
"""Fields in which servers send the thought separately from the text; some send the same thought in two of them."""
HIGH_SURROGATE = re.compile("[\ud800-\udbff]$")


class Piece(NamedTuple):
    """The content of one message."""

    text: str = ""
    separated_thought: str = ""
    """Thought that the server sends apart from the text."""
    tokens: int | None = None
    """Output tokens of this request so far; None if the server does not say."""
    thought_tokens: int | None = None
    prompt_tokens: int | None = None
    finish: FinishReason | None = None
    unknown_finish: str = ""
    """The server's own finish reason where we have no equivalent; `finish` is then `stop`."""

    @property
    def is_news(self) -> bool:
        """Whether it contains anything about the reply, rather than being a keep-alive."""
        return bool(self.text or self.separated_thought or self.finish)


class Halves:
    """Joins characters that a server splits across messages, as programs that work in UTF-16 code units do.

    A lone half becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._text = self._thought = ""

    def join(self, piece: Piece, last: bool = False) -> Piece:
        text, self._text = _whole_characters(self._text + piece.text, last or piece.finish is not None)
        thought, self._thought = _whole_characters(self._thought + piece.separated_thought, last)
        return piece._replace(text=text, separated_thought=thought)


def _whole_characters(text: str, last: bool) -> tuple[str, str]:
    """The text, and the half character at its end that the next message may complete."""
    if text.isascii():
        return text, ""
    half = "" if last or not HIGH_SURROGATE.search(text) else text[-1]
    return whole_characters(text[: len(text) - len(half)]), half


class Parts(NamedTuple):
    """Content, split into thought and text."""

    text: str = ""
    thought: str = ""


def read_message(message: Any) -> Piece:
    """The piece in one message of either kind of stream, or in a whole answer.

    Raises ServerError with the server's message if it reports an error or sends something other than text, and
    TypeError, KeyError or AttributeError for anything outside the protocol.
    """
    if isinstance(message, list) and len(message) == 1:
        message = message[0]
    if words := _reported_error(message):
        raise refusal(_status(message), words, "The model server reported an error: ")
    counts = _counts(message.get("usage"))
    if not message.get("choices"):
        return Piece(**counts)
    choice = message["choices"][0]
    if choice.get("error"):
        raise refusal(_status(choice), error_words(choice["error"]), "The model server reported an error: ")
    delta = choice.get("delta") or choice.get("message") or {}
    content = read_content(choice.get("text") or delta.get("content") or delta.get("refusal"))
    thought = next((text for name in THOUGHT_FIELDS if (text := _thought(delta.get(name)))), "")
    finish, unknown = read_finish(choice.get("finish_reason"))
    return Piece(
        # A reply cut inside a character ends in a replacement character that the model never wrote.
        text=content.text.rstrip("\ufffd") if finish in ("length", "repetition") else content.text,
        separated_thought=thought + content.thought,
        finish=finish,
        unknown_finish=unknown,
        **counts,
    )


def read_content(content: Any) -> Parts:
    """Text, or a list of parts, some of them thought. Raises ServerError for anything else, such as an image."""
    if content is None:
        return Parts()
    if isinstance(content, str):
        return Parts(text=content)
    if isinstance(content, dict):
        return _read_part(content)
    if not isinstance(content, list):
        raise ServerError(f"The model server sent {type(content).__name__} {content!r:.50} where text was expected.")
    parts = [read_content(part) for part in content]
    return Parts("".join(part.text for part in parts), "".join(part.thought for part in parts))


def _read_part(part: dict[str, Any]) -> Parts:
    kind = str(part.get("type") or "text")
    if kind.startswith(("thinking", "reasoning", "summary")):
        inner = next((part[name] for name in ("thinking", "reasoning", "text", "summary") if part.get(name)), None)
        return Parts(thought="".join(read_content(inner)))
    if kind in ("text", "output_text", "text_delta", "refusal"):
        inner = part.get("text") if part.get("text") is not None else part.get("refusal")
        return read_content(inner)
    if kind == "redacted_thinking":
        return Parts()
    raise ServerError(
        f"The model server sent a part that is not text: {kind:.50}.", "Use a model that answers with text."
    )


def _thought(value: Any) -> str:
    """All text in a thought field, whatever its parts are called."""
    if isinstance(value, dict):
        value = value.get("text") or value.get("content") or value.get("summary") or ""
    if isinstance(value, list):
        return "".join(map(_thought, value))
    return "".join(read_content(value))


def read_finish(reason: Any) -> tuple[FinishReason | None, str]:
    """Our finish reason for the server's, and the server's own where we have no equivalent.

    Raises ServerError if the reason means that the server failed.
    """
    if isinstance(reason, dict):
        reason = reason.get("type")
    word = str(reason or "").strip().lower().replace("-", "_")
    word = word.removeprefix("finish_reason_")
    if word in ("", "null", "none", "finish_reason_unspecified"):
        return None, ""
    if word in BROKEN:
        raise ServerError(f"The model server ended the reply with «{reason}».", "Try again.")
    return FINISH.get(word, "stop"), "" if word in FINISH else str(reason)


def _reported_error(message: dict[str, Any]) -> str:
    """The message of an error, in any form that servers use; empty if there is none."""
    if error := message.get("error"):
        return error_words(message if error is True else error)
    is_error = "error" in (message.get("object"), message.get("type"), message.get("status"))
    no_reply = not any(name in message for name in ("choices", "usage", "delta", "text"))
    if is_error or (no_reply and any(message.get(name) for name in ("message", "detail", "errors", "error_message"))):
        return error_words(message)
    return ""


def _status(message: dict[str, Any]) -> int:
    """The HTTP status in an error; 500 if there is none."""
    error = message.get("error")
    for place in (error if isinstance(error, dict) else {}, message):
        for name in ("code", "status_code", "status"):
            code = str(place.get(name) or "")
            if re.fullmatch(r"[45]\d\d", code):
                return int(code)
    return 500


def _counts(usage: Any) -> dict[str, Any]:
    if not isinstance(usage, dict):
        return {}
    details = usage.get("completion_tokens_details")
    return {
        "tokens": _count(usage.get("completion_tokens")),
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "thought_tokens": _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
    }


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
