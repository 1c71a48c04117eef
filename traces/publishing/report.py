"""Reads the report.json beside an adapter, perhaps from elsewhere: what is missing or odd there reads as absent."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]
REPORT = "report.json"


def read_report(folder: Path) -> Figures:
    """The report of the adapter in `folder`; empty if it is not there or damaged."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, Mapping) else {}


def part(values: object, *keys: str) -> Figures:
    """The mapping below these keys; empty where it, or anything on the way to it, is missing."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def numbers(values: Figures, *keys: str) -> list[float] | None:
    """The numbers under these keys in order; None unless all are there."""
    looked_up = [values.get(key) for key in keys]
    known = [value for value in looked_up if isinstance(value, int | float) and not isinstance(value, bool)]
    return known if len(known) == len(keys) else None


def chat_replies(evaluation: Figures) -> list[Figures]:
    """The plain prompts, each with both models' replies: {"prompt", "base": {"answer", "thought", …}, …}."""
    chat = evaluation.get("chat")
    entries = chat if isinstance(chat, list) else []
    return [entry for entry in entries if all(_is_reply(part(entry, role)) for role in ("base", "distilled"))]


def _is_reply(reply: Figures) -> bool:
    return isinstance(reply.get("answer"), str) and isinstance(reply.get("thought", ""), str)
