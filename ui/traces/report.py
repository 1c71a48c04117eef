"""The report of a trained adapter as HTML: what it gained on which set, whether it corrects itself, what was lost.

Pure. Does not measure: every figure is read from the adapter's report.json, which `traces.publishing.publish` wrote.
"""

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from traces.publishing.publish import WAYS
from ui.kit.raw import table

Figures = Mapping[str, Any]
CORRECTIONS = {
    "thoughts": "thoughts",
    "dead_ends": "left a dead end",
    "false_steps": "with a false step",
    "false_steps_right_in_the_end": "… right in the end",
    "failed_checks": "found a fault",
    "saved": "… and were saved",
    "checks_said_good": "check said good",
    "sham_checks": "… over a wrong answer",
}


def report_html(folder: Path) -> str:
    """Everything the report says: evaluation first, where the adapter comes from below it."""
    path = folder / "report.json"
    if not path.is_file():
        return '<p class="note">This training has no report yet.</p>'
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return f'<p class="note">{escape(path.name)} cannot be read: {escape(str(error))}.</p>'
    evaluation = report.pop("evaluation", {})
    shown = "".join(_evaluation(evaluation)) or '<p class="note">This adapter has not been evaluated yet.</p>'
    return f"{shown}<details><summary>Where it comes from</summary>{value_html(report)}</details>"


def _evaluation(evaluation: Figures) -> Iterator[str]:
    for key, title in WAYS.items():
        part = evaluation.get(key)
        if part:
            yield f"<h4>{title}: accuracy and mean output tokens</h4>" + settings_line(part.get("settings", {}))
            yield accuracy_table(part["summary"])
    greedy = evaluation.get("greedy", {}).get("summary")
    if greedy:
        yield f"<details><summary>By family and level, greedy</summary>{breakdown_tables(greedy)}</details>"
        yield "<h4>Does it really turn back and correct itself?</h4>" + corrections_table(greedy)
    if chat := evaluation.get("chat"):
        yield f"<details><summary>Plain chat before and after</summary>{chat_html(chat)}</details>"


def settings_line(settings: Figures) -> str:
    words = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in settings.items())
    return f'<p class="note">The same problems and prompt for both; {escape(words)}. Intervals at 95 %.</p>'


def accuracy_table(summary: Figures) -> str:
    """A row a set: accuracy with its interval and mean tokens, base beside distilled."""
    rows = []
    for split, roles in summary.items():
        either = roles.get("distilled") or roles["base"]
        cells = [cell for role in ("base", "distilled") for cell in _pair(roles.get(role))]
        rows.append([escape(split.replace("_", " ").capitalize()), str(either["problems"]), *cells])
    return table(["Set", "Problems", "Base", "Tokens", "Distilled", "Tokens"], rows)


def _pair(figures: Figures | None) -> tuple[str, str]:
    if not figures:
        return "–", "–"
    interval = f"{figures['low']:.0%} to {figures['high']:.0%}"
    return f"{figures['accuracy']:.1%} <span class='note'>({interval})</span>", f"{figures['mean_tokens']:,.0f}"


def breakdown_tables(summary: Figures) -> str:
    """Accuracy by family and by level of each set."""
    parts = []
    for split, roles in summary.items():
        for key, name in (("by_family", "Family"), ("by_level", "Level")):
            found = {role: roles.get(role, {}).get(key, {}) for role in ("base", "distilled")}
            groups = dict.fromkeys(group for each in found.values() for group in each)
            rows = [
                [escape(group), *(_share(found[role].get(group)) for role in ("base", "distilled"))] for group in groups
            ]
            title = escape(split.replace("_", " ").capitalize())
            parts.append(f"<h4>{title}</h4>{table([name, 'Base', 'Distilled'], rows)}" if rows else "")
    return "".join(parts)


def _share(figures: Figures | None) -> str:
    return f"{figures['accuracy']:.0%} <span class='note'>of {figures['problems']}</span>" if figures else "–"


def corrections_table(summary: Figures) -> str:
    """Counts over the distilled model's thoughts, a column a set."""
    splits = {split: roles["distilled"]["corrections"] for split, roles in summary.items() if roles.get("distilled")}
    rows = [[title, *(str(counts.get(key, "–")) for counts in splits.values())] for key, title in CORRECTIONS.items()]
    return table(["Thoughts that …", *(escape(split.replace("_", " ")) for split in splits)], rows)


def chat_html(chat: list[Figures]) -> str:
    """Each plain prompt with both answers, under a heading for each form of prompt."""
    items, form = [], ""
    for entry in chat:
        if entry.get("form", "") != form:
            form = entry["form"]
            items.append(f"<h3>Prompts of {escape(form)}</h3>")
        cards = "".join(
            f'<section class="card {role}"><h4>{role.capitalize()}</h4>'
            f'<div class="text">{_reply(entry[role])}</div></section>'
            for role in ("base", "distilled")
            if role in entry
        )
        items.append(f'<h4>{escape(entry["prompt"])}</h4><div class="cards">{cards}</div>')
    return "".join(items)


def _reply(said: Figures) -> str:
    if said["answer"].strip():
        return escape(said["answer"])
    what = f"thought for {said['tokens']} tokens and gave no answer" if said.get("thought") else "gave no answer"
    return f'<span class="note">({what})</span>'


def value_html(value: Any, title: str = "") -> str:
    """JSON as HTML: lists of like objects as a table, objects as lines, the rest as text."""
    head = f"<h4>{escape(title.replace('_', ' ').capitalize())}</h4>" if title else ""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[_cell(row.get(key, "")) for key in columns] for row in value]
        return head + table([escape(column.replace("_", " ")) for column in columns], rows)
    if isinstance(value, dict):
        if value and all(isinstance(inner, dict) for inner in value.values()):
            return head + value_html([{"": key, **inner} for key, inner in value.items()])
        plain = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
        lines = "".join(f"<li>{escape(key.replace('_', ' '))}: {_cell(inner)}</li>" for key, inner in plain.items())
        nested = "".join(value_html(inner, key) for key, inner in value.items() if key not in plain)
        return head + (f"<ul>{lines}</ul>" if lines else "") + nested
    return head + f"<p>{_cell(value)}</p>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(key))} {_cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(inner) for inner in value)
    return escape(str(value))
