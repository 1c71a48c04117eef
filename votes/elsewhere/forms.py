"""The formats that votes are published in: rows to votes, and back.

A row of `arena`:
{"question_id": "…", "model_a": "vicuna-13b", "model_b": "koala-13b", "winner": "model_a", "judge": "arena_user_9",
 "conversation_a": [{"role": "user", "content": "…"}, …], "conversation_b": […], "language": "English", "tstamp": 1683}

Or with `winner_model_a`, `winner_model_b`, `winner_tie` as flags, and `prompt`, `response_a`, `response_b` as texts.

A row of `log`:
{"type": "leftvote", "tstamp": 1683, "models": ["…", "…"], "states": [{"messages": [["USER", "…"], …]}, …], "ip": "…"}

A row of `preferences`, where each side is a text or a list of messages, and the prompt may stand apart:
{"prompt": "…", "chosen": "…", "rejected": "…"}
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import DataError
from votes.ballot import Verdict, Vote
from votes.elsewhere.vote import ForeignVote, Form, Message, as_foreign, identity

Row = Mapping[str, Any]
_WINNERS: dict[str, Verdict] = {
    "model_a": "a", "model_b": "b", "tie": "tie", "tie (bothbad)": "both_bad", "both_bad": "both_bad",
}  # fmt: skip
_EVENTS: dict[str, Verdict] = {"leftvote": "a", "rightvote": "b", "tievote": "tie", "bothbad_vote": "both_bad"}
_SPEAKERS = re.compile(r"\n\nHuman: |\n\nAssistant: ")
_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_NAMES = (("chosen_model", "rejected_model"), ("chosen-model", "rejected-model"))
"""Columns in which preference sets name the two models."""


class Taken(NamedTuple):
    """What a file held."""

    votes: list[ForeignVote]
    left_out: int
    """Rows that are not votes: other log events, rows without a known winner, or without two sides."""


def read_votes(rows: Iterable[Row]) -> Taken:
    """The votes in these rows, in any of the formats. DataError if there are none."""
    votes: list[ForeignVote] = []
    left_out = 0
    copies: Counter[str] = Counter()
    for row in rows:
        vote = _read(row)
        if vote is None:
            left_out += 1
            continue
        content = identity(vote, 0)
        votes.append(replace(vote, id=identity(vote, copies[content])))
        copies[content] += 1
    if not votes:
        raise DataError(
            "There is no vote in this file.",
            "A row needs model_a, model_b and winner, or chosen and rejected, or FastChat's type and states.",
        )
    return Taken(votes, left_out)


def write_row(vote: ForeignVote, form: Form) -> dict[str, Any]:
    """The vote as a row, exactly as it was read if that was the same format. `log` is read-only. DataError for a vote
    without a winner as a preference."""
    row = _preference_row(vote) if form == "preferences" else _arena_row(vote)
    if form == vote.form and vote.columns:
        return {name: vote.extra[name] if name in vote.extra else row[name] for name in vote.columns}
    return {**row, **vote.extra} if form == vote.form else row


def write_arena(votes: Iterable[Vote], path: Path) -> int:
    """This arena's votes as rows of `arena`, one JSON object a line. Returns the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for vote in votes:
            file.write(json.dumps(write_row(as_foreign(vote), "arena"), ensure_ascii=False) + "\n")
            count += 1
    return count


def _read(row: Row) -> ForeignVote | None:
    if row.get("type") in _EVENTS and isinstance(row.get("states"), list):
        return _from_log(row)
    if {"model_a", "model_b"} <= set(row) and ("winner" in row or "winner_tie" in row):
        return _with_extra(_from_arena(row), row)
    if {"chosen", "rejected"} <= set(row):
        return _with_extra(_from_preference(row), row)
    return None


def _with_extra(vote: ForeignVote | None, row: Row) -> ForeignVote | None:
    """The vote with everything in the row that `write_row` would not reproduce."""
    if vote is None:
        return None
    written = write_row(vote, vote.form)
    extra = {name: value for name, value in row.items() if name not in written or written[name] != value}
    return replace(vote, columns=tuple(row), extra=extra)


def _from_arena(row: Row) -> ForeignVote | None:
    flags = (
        name.removeprefix("winner_") for name in ("winner_model_a", "winner_model_b", "winner_tie") if row.get(name)
    )
    verdict = _WINNERS.get(str(row["winner"] if "winner" in row else next(flags, "")))
    if verdict is None:
        return None
    return ForeignVote(
        id="",
        form="arena",
        models=(str(row["model_a"]), str(row["model_b"])),
        verdict=verdict,
        a=_messages(row.get("conversation_a")) or _alternating(row.get("prompt"), row.get("response_a")),
        b=_messages(row.get("conversation_b")) or _alternating(row.get("prompt"), row.get("response_b")),
        judge=str(row.get("judge") or row.get("judge_hash") or ""),
        voted_at=_moment(row.get("tstamp")),
        language=str(row.get("language") or ""),
    )


def _arena_row(vote: ForeignVote) -> dict[str, Any]:
    winner = {"a": "model_a", "b": "model_b", "tie": "tie", "both_bad": "tie (bothbad)"}[vote.verdict]
    row = {"model_a": vote.models[0], "model_b": vote.models[1], "winner": winner}
    optional = {
        "conversation_a": [asdict(message) for message in vote.a],
        "conversation_b": [asdict(message) for message in vote.b],
        "judge": vote.judge,
        "language": vote.language,
        "tstamp": datetime.fromisoformat(vote.voted_at).timestamp() if vote.voted_at else None,
    }
    return row | {name: value for name, value in optional.items() if value}


def _from_log(row: Row) -> ForeignVote | None:
    """The voter's address (`ip`) is not read."""
    states = row["states"]
    if len(states) != 2 or not all(isinstance(state, dict) for state in states):
        return None
    named = row.get("models")
    names = [*named, "", ""] if isinstance(named, list) else ["", ""]
    models = [str(name or state.get("model_name") or "") for name, state in zip(names, states, strict=False)]
    a, b = map(_conversation, states)
    return ForeignVote(
        "", "log", (models[0], models[1]), _EVENTS[row["type"]], a, b, voted_at=_moment(row.get("tstamp"))
    )


def _conversation(state: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of one side of a log: pairs of speaker and text, of which the first `offset` are examples."""
    messages, offset = state.get("messages"), state.get("offset")
    if not isinstance(messages, list):
        return ()
    spoken = messages[offset if isinstance(offset, int) else 0 :]
    texts = [str(pair[1] or "") for pair in spoken if isinstance(pair, list) and len(pair) == 2]
    return tuple(Message("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(texts))


def _from_preference(row: Row) -> ForeignVote | None:
    prompt = _prompt(row.get("prompt"))
    a, b = _side(row["chosen"], prompt), _side(row["rejected"], prompt)
    if not a or not b:
        return None
    names = next((pair for pair in _NAMES if set(pair) <= set(row)), ("", ""))
    models = (str(row.get(names[0]) or ""), str(row.get(names[1]) or ""))
    return ForeignVote("", "preferences", models, "a", a, b)


def _preference_row(vote: ForeignVote) -> dict[str, Any]:
    if vote.verdict not in ("a", "b") or not vote.a or not vote.b:
        raise DataError("A vote without a winner or without words is not a preference.", "Write it as arena instead.")
    chosen, rejected = (vote.a, vote.b) if vote.verdict == "a" else (vote.b, vote.a)
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return {
        "prompt": [asdict(message) for message in chosen[:shared]],
        "chosen": [asdict(message) for message in chosen[shared:]],
        "rejected": [asdict(message) for message in rejected[shared:]],
    }


def _prompt(value: Any) -> tuple[Message, ...]:
    return (Message("user", value),) if isinstance(value, str) and value else _messages(value)


def _side(value: Any, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """One side, preceded by the prompt unless it already includes it."""
    if not isinstance(value, str):
        messages = _messages(value)
        return messages if messages[: len(prompt)] == prompt else prompt + messages if messages else ()
    if value.startswith("\n\nHuman: "):
        texts = _SPEAKERS.split(value)[1:]
        return tuple(Message("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(texts))
    return (*prompt, Message("assistant", value)) if value else ()


def _messages(value: Any) -> tuple[Message, ...]:
    """Messages in the various spellings of published sets; of a content in parts, only the texts."""
    messages = []
    for each in value if isinstance(value, list | tuple) else ():
        if not isinstance(each, dict):
            return ()
        role = _ROLES.get(str(each.get("role") or each.get("from") or "").lower(), "user")
        content = each.get("content", each.get("value"))
        if isinstance(content, list):
            content = "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        messages.append(Message(role, str(content or "")))
    return tuple(messages)


def _alternating(prompts: Any, responses: Any) -> tuple[Message, ...]:
    """Questions and answers in turn, each a text or a JSON list of texts."""
    both = zip(_texts(prompts), _texts(responses), strict=False)
    return tuple(Message(role, text) for pair in both for role, text in zip(("user", "assistant"), pair, strict=True))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return [str(text or "") for text in value] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _moment(value: Any) -> str:
    """Convert a Unix time, a datetime or a text to ISO 8601 in UTC; empty if it is not a time."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC).isoformat()
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else moment.replace(tzinfo=UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""
