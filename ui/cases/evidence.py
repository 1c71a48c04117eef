"""What this product has measured of the paper's story: costs of the four ways, the bitter lesson's evidence, ablations.

Reads trace files, the shipped adapter's reports and the self-score; a figure that is missing is said to be missing.
Does not measure.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from common.errors import DataError
from common.paths import ROOT
from eval.paper.figures import WAYS
from eval.paper.transparency import full_marks, score, self_score
from traces.keeping.trace import METHODS
from traces.keeping.yields import MethodYield, method_yields, yield_rows
from traces.publishing.ablation import Ablation, Arm, ArmResult, read_ablation
from ui.kit.raw import bullets, inline, missing, table
from ui.traces.library import TraceShelf

MEASURE = {
    "teacher": "python -m commands.train teacher",
    "debate": "python -m commands.train debate",
    "search": "Traces tab: make traces",
    "people": "Traces tab: write a thought",
}
"""Way → how to measure its cost here."""
ADAPTER = ROOT / "models" / "adapters" / "smol-135m"
EVALUATE = "make distil"
SPLITS = {"same_kind": "the kind trained on", "larger_numbers": "larger numbers", "unseen_families": "unseen families"}
CORRECTIONS = (
    "thoughts", "false_steps", "false_steps_right_in_the_end", "checks_said_good", "sham_checks", "failed_checks",
    "saved",
)  # fmt: skip
"""Counts of `traces.publishing.attempts.corrections` that the lesson needs, all of them or none."""
Figures = Mapping[str, Any]


def cost_of_ways(shelf: TraceShelf) -> dict[str, str]:
    """Way → a sentence of HTML with its yield and cost per kept thought."""
    try:
        traces = [entry.trace for entry in shelf.entries()]
    except DataError as error:
        return dict.fromkeys(WAYS, f'<span class="missing">{escape(str(error))}</span>')
    absent = {way: missing("Cost here", MEASURE[way]) for way in WAYS}
    makers = {
        method: sorted({t.model for t in traces if t.method == method and t.kept is not None}) for method in METHODS
    }
    return absent | {row.method: _cost(row, makers[row.method]) for row in method_yields(traces)}


def _cost(row: MethodYield, makers: Sequence[str]) -> str:
    """`makers`: the models or annotators; a search has none worth naming."""
    shown = yield_rows([row])[0]
    parts = [f"{shown[name]}{unit}" for name, unit in _UNITS.items() if shown[name] != "–"]
    by = "" if row.method in ("search", "people") else f", with {escape(', '.join(makers))}"
    kept = f"<b>Here{by}: {row.kept:,} of {row.asked:,} kept</b>, {escape(shown['Yield'])}"
    return f"{kept}; per kept thought {escape(', '.join(parts))}." if parts else f"{kept}."


_UNITS = {"Tokens per kept": " tokens", "Time per kept": "", "US$ per kept": " US$"}


def read_report(path: Path = ADAPTER / "report.json") -> dict[str, Any]:
    """The shipped adapter's report; empty when it is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def part(values: object, *keys: str) -> Figures:
    """The mapping below these keys; empty where it, or anything on the way to it, is missing."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def numbers(values: Figures, *keys: str) -> list[float] | None:
    """The numbers under these keys in order; None unless all are there."""
    found = [values.get(key) for key in keys]
    known = [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
    return known if len(known) == len(keys) else None


def bitter_evidence(report: Figures) -> dict[str, str]:
    """Point of the lesson → what is seen of it here, as HTML."""
    greedy = part(report, "evaluation", "greedy", "summary")
    chat = part(report, "evaluation").get("chat")
    told = [entry for entry in chat if isinstance(entry, Mapping)] if isinstance(chat, list) else []
    return {
        "ceiling": _ceiling(greedy),
        "effort": _effort(report),
        "hiding": _hiding(),
        "shortcuts": _checks(greedy) + _forgetting(told),
    }


def _ceiling(greedy: Figures) -> str:
    """Accuracy before and after on each split. That the teacher solves two of them and not the third is tested."""
    rows = []
    for split, title in SPLITS.items():
        sides = [part(greedy, split, role) for role in ("base", "distilled")]
        if any(sides):
            asked = next((int(n[0]) for side in sides if (n := numbers(side, "problems"))), 0)
            note = f'<br><span class="note">{asked} problems</span>' if asked else ""
            rows.append([escape(title) + note, *(_accuracy(side) for side in sides)])
    if not rows:
        return missing("Here", EVALUATE)
    told = (
        "<b>Here</b> the teacher is a search. In its tests it solves every problem of the first two kinds; for the "
        "third it has no steps. Its student, greedy:"
    )
    measured = any("%" in cell for row in rows for cell in row)
    note = '<p class="note">Right answers, their 95 % interval, and mean output tokens.</p>' if measured else ""
    return told + table(("problems of", "base", "distilled"), rows) + note


def _accuracy(figures: Figures) -> str:
    shares, tokens = numbers(figures, "accuracy", "low", "high"), numbers(figures, "mean_tokens")
    if shares is None:
        return "not measured"
    value, low, high = (100 * share for share in shares)
    cost = f"<br>{tokens[0]:.0f} tokens" if tokens else ""
    return f'{value:.0f} %<br><span class="note">{low:.0f} to {high:.0f}{cost}</span>'


def _effort(report: Figures) -> str:
    spent = numbers(report, "training_seconds", "training_tokens")
    if spent is None:
        return missing("Here", EVALUATE)
    return (
        f"<b>Here</b> the student trained for {spent[0] / 60:.0f} minutes on {spent[1]:,.0f} tokens. Making its "
        "examples took a search, a judge of steps and two checks of every answer: see <code>traces/</code>."
    )


def _hiding() -> str:
    standing = score(self_score())
    return (
        f"<b>Here</b> {standing.total} of {full_marks().total} points by its own artefacts; see the Transparency tab."
    )


def _checks(greedy: Figures) -> str:
    """Whether the student's checks are real."""
    seen = numbers(part(greedy, "same_kind", "distilled", "corrections"), *CORRECTIONS)
    if seen is None:
        return missing("Checks here", EVALUATE)
    thoughts, false, mended, good, sham, failed, saved = (int(number) for number in seen)
    points = (
        f"{false} contain a false calculation; {mended} of these still reach the right answer.",
        f"{good} end with a check that says “good”; over {sham} of these the answer is wrong.",
        f"In {failed} a check finds fault; {saved} of these reach the right answer.",
    )
    return f"<b>Here</b>, of {thoughts} thoughts on problems of the trained kind:" + bullets(points)


def _forgetting(chat: Sequence[Figures]) -> str:
    """What ordinary chat has lost."""
    if not chat:
        return missing("Forgetting here", EVALUATE)
    after = [part(entry, "distilled") for entry in chat]
    boxed, thinking = sum("\\boxed" in _answer(r) for r in after), sum(bool(r.get("thought")) for r in after)
    empty = [sum(not _answer(part(entry, role)) for entry in chat) for role in ("base", "distilled")]
    told = (
        f"And forgetting: of {len(chat)} plain chat prompts, {boxed} are now answered with a box as if they were "
        f"maths, {thinking} with a thought, {empty[1]} with nothing (before: {empty[0]}). Read them, before and after."
    )
    rows = [[escape(str(e.get("prompt", ""))), *(_said(part(e, role)) for role in ("base", "distilled"))] for e in chat]
    return f"<details><summary>{told}</summary>{table(('prompt', 'base', 'distilled'), rows, 'words')}</details>"


def _answer(reply: Figures) -> str:
    return " ".join(str(reply.get("answer") or "").split())


def _said(reply: Figures) -> str:
    text = _answer(reply)
    return escape(text if len(text) <= 160 else text[:159] + "…") or "–"


def ablation_html(path: Path = ADAPTER / "ablation.json") -> str:
    """What training without one part or another gives, as a table; or that nobody measured it yet."""
    try:
        found = read_ablation(path)
    except DataError as error:
        return f'<p class="missing">{escape(str(error))}</p>'
    if found is None:
        where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        return f'<p class="missing">Not measured yet: there is no <code>{escape(str(where))}</code>.</p>'
    made = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.made.items())
    note = f"{made}. Intervals: Wilson, 95 %, each arm for itself." if made else "Intervals: Wilson, 95 %."
    head = ("arm", "trained on", *(escape(SPLITS.get(split, split)) for split in found.splits))
    rows = [_arm_row(found, arm) for arm in found.arms]
    return f'<p>{escape(found.question)}</p>{table(head, rows)}<p class="note">{escape(note)}</p>'


def _arm_row(ablation: Ablation, arm: Arm) -> list[str]:
    name = f'<b>{escape(arm.name)}</b><br><span class="note">{inline(arm.what)}</span>'
    spent = f'{arm.problems:,} problems<br><span class="note">{arm.tokens:,} tokens, {arm.minutes:.0f} min</span>'
    return [name, spent, *(_reached(arm.results.get(split)) for split in ablation.splits)]


def _reached(result: ArmResult | None) -> str:
    if result is None:
        return "not measured"
    share = result.accuracy
    interval = f"{100 * share.low:.0f} to {100 * share.high:.0f}<br>{result.mean_tokens:.0f} tokens"
    return f'{result.correct}/{result.problems}, {100 * share.value:.0f} %<br><span class="note">{interval}</span>'
