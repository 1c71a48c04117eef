"""This product's own measurements on the paper's story: costs of the four ways, evidence for the lesson, ablations.

Reads trace files, the shipped adapter's reports and the self-score; a missing figure is shown as missing.
"""

from collections.abc import Sequence
from pathlib import Path

from common.errors import DataError
from common.paths import ADAPTERS, ROOT
from eval.paper.figures import WAYS
from eval.paper.transparency import full_marks, score, self_score
from traces.keeping.trace import METHODS
from traces.keeping.yields import MethodYield, method_yields, yield_rows
from traces.publishing.ablation import Ablation, Arm, ArmResult, read_ablation
from traces.publishing.report import Figures, chat_replies, numbers, part
from ui.kit.events import words_of
from ui.kit.html import Markup, below, bullets, inline, missing, note, render, table
from ui.traces.library import TraceLibrary

MEASURE = {
    "teacher": "arena traces teacher",
    "debate": "arena traces debate",
    "search": "Traces tab: make traces",
    "people": "Traces tab: write a thought",
}
"""Way → how to measure its cost here."""
ADAPTER = ADAPTERS / "smol-135m"
EVALUATE = "make distil"
SPLITS = {"same_kind": "the kind trained on", "larger_numbers": "larger numbers", "unseen_families": "unseen families"}
CORRECTIONS = (
    "thoughts", "false_steps", "false_steps_right_in_the_end", "checks_said_good", "sham_checks", "failed_checks",
    "saved",
)  # fmt: skip
"""Counts of `traces.publishing.figures.corrections` that the lesson needs, all of them or none."""


def cost_of_ways(library: TraceLibrary) -> dict[str, Markup]:
    """Way → its yield and its cost per kept thought, in a sentence."""
    try:
        traces = [entry.trace for entry in library.entries()]
    except DataError as error:
        return dict.fromkeys(WAYS, render('<span class="missing">{{ error }}</span>', error=words_of(error)))
    absent = {way: missing("Cost here", MEASURE[way]) for way in WAYS}
    makers = {
        method: sorted({t.model for t in traces if t.method == method and t.kept is not None}) for method in METHODS
    }
    return absent | {row.method: _cost(row, makers[row.method]) for row in method_yields(traces)}


def _cost(row: MethodYield, makers: Sequence[str]) -> Markup:
    """`makers`: the models or annotators; a search has none worth naming."""
    figures = yield_rows([row])[0]
    return render(
        "<b>Here{{ by }}: {{ kept }} of {{ asked }} kept</b>, {{ share }}"
        "{% if costs %}; per kept thought {{ costs }}{% endif %}.",
        by="" if row.method in ("search", "people") else f", with {', '.join(makers)}",
        kept=f"{row.kept:,}",
        asked=f"{row.asked:,}",
        share=figures["Yield"],
        costs=", ".join(f"{figures[name]}{unit}" for name, unit in _UNITS.items() if figures[name] != "–"),
    )


_UNITS = {"Tokens per kept": " tokens", "Time per kept": "", "US$ per kept": " US$"}


def bitter_evidence(report: Figures) -> dict[str, Markup]:
    """Point of the lesson → the evidence for it here."""
    greedy = part(report, "evaluation", "greedy", "summary")
    return {
        "ceiling": _ceiling(greedy),
        "effort": _effort(report),
        "hiding": _hiding(),
        "shortcuts": _checks(greedy) + _forgetting(chat_replies(part(report, "evaluation"))),
    }


def _ceiling(greedy: Figures) -> Markup:
    """Accuracy before and after on each split. A test shows that the teacher solves two of them and not the third."""
    rows = []
    for split, title in SPLITS.items():
        sides = [part(greedy, split, role) for role in ("base", "distilled")]
        if any(sides):
            asked = next((int(n[0]) for side in sides if (n := numbers(side, "problems"))), 0)
            rows.append([below(title, *([f"{asked} problems"] if asked else [])), *(_accuracy(side) for side in sides)])
    if not rows:
        return missing("Here", EVALUATE)
    measured = any("%" in cell for row in rows for cell in row)
    return (
        Markup("<b>Here</b> the teacher is a search. In its tests it solves every problem of the first two kinds; for ")
        + "the third it has no steps. Its student, greedy:"
        + table(("problems of", "base", "distilled"), rows)
        + (note("Right answers, their 95 % interval, and mean output tokens.") if measured else "")
    )


def _accuracy(figures: Figures) -> str:
    shares, tokens = numbers(figures, "accuracy", "low", "high"), numbers(figures, "mean_tokens")
    if shares is None:
        return "not measured"
    value, low, high = (100 * share for share in shares)
    return below(f"{value:.0f} %", f"{low:.0f} to {high:.0f}", *([f"{tokens[0]:.0f} tokens"] if tokens else []))


def _effort(report: Figures) -> Markup:
    spent = numbers(report, "training_seconds", "training_tokens")
    if spent is None:
        return missing("Here", EVALUATE)
    return render(
        "<b>Here</b> the student trained for {{ minutes }} minutes on {{ tokens }} tokens. Making its examples took a "
        "search, a judge of steps and two checks of every answer: see <code>traces/</code>.",
        minutes=f"{spent[0] / 60:.0f}",
        tokens=f"{spent[1]:,.0f}",
    )


def _hiding() -> Markup:
    return render(
        "<b>Here</b> {{ points }} of {{ full }} points, scored from this project's own files; see the Transparency "
        "tab.",
        points=score(self_score()).total,
        full=full_marks().total,
    )


def _checks(greedy: Figures) -> Markup:
    """Whether the student's checks are real."""
    seen = numbers(part(greedy, "same_kind", "distilled", "corrections"), *CORRECTIONS)
    if seen is None:
        return missing("Checks here", EVALUATE)
    thoughts, false, mended, good, sham, failed, saved = (int(number) for number in seen)
    points = (
        f"{false} contain a false calculation; {mended} of these still reach the right answer.",
        f"{good} end with a check that says “good”; over {sham} of these the answer is wrong.",
        f"In {failed} a check finds a fault; {saved} of these reach the right answer.",
    )
    return render(
        "<b>Here</b>, of {{ n }} thoughts on problems of the trained kind:{{ points }}",
        n=thoughts,
        points=bullets(points),
    )


def _forgetting(chat: Sequence[Figures]) -> Markup:
    """What ordinary chat has lost."""
    if not chat:
        return missing("Forgetting here", EVALUATE)
    after = [part(entry, "distilled") for entry in chat]
    boxed, thinking = sum("\\boxed" in _answer(r) for r in after), sum(bool(r.get("thought")) for r in after)
    empty = [sum(not _answer(part(entry, role)) for entry in chat) for role in ("base", "distilled")]
    summary = (
        f"And forgetting: of {len(chat)} plain chat prompts, {boxed} are now answered with a box as if they were "
        f"maths, {thinking} with a thought, {empty[1]} with nothing (before: {empty[0]}). Read them, before and after."
    )
    rows = [[str(e.get("prompt", "")), *(_excerpt(part(e, role)) for role in ("base", "distilled"))] for e in chat]
    return render(
        '<details><summary>{{ summary }}</summary><div translate="no">{{ table }}</div></details>',
        summary=summary,
        table=table(("prompt", "base", "distilled"), rows, "words"),
    )


def _answer(reply: Figures) -> str:
    return " ".join(str(reply.get("answer") or "").split())


def _excerpt(reply: Figures) -> str:
    text = _answer(reply)
    return (text if len(text) <= 160 else text[:159] + "…") or "–"


def ablation_html(path: Path = ADAPTER / "ablation.json") -> Markup:
    """Table of results when one part or another is left out of training, or a note that none were measured."""
    try:
        ablation = read_ablation(path)
    except DataError as error:
        return render('<p class="missing">{{ error }}</p>', error=words_of(error))
    if ablation is None:
        where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        return render('<p class="missing">Not measured yet: there is no <code>{{ path }}</code>.</p>', path=where)
    setting = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in ablation.made.items())
    head = ("arm", "trained on", *(SPLITS.get(split, split) for split in ablation.splits))
    return render(
        "<p>{{ question }}</p>{{ table }}{{ note }}",
        question=ablation.question,
        table=table(head, [_arm_row(ablation, arm) for arm in ablation.arms]),
        note=note(
            f"{setting}. Intervals: Wilson, 95 %, for each arm alone." if setting else "Intervals: Wilson, 95 %."
        ),
    )


def _arm_row(ablation: Ablation, arm: Arm) -> list[str]:
    name = below(render("<b>{{ name }}</b>", name=arm.name), inline(arm.what))
    spent = below(f"{arm.problems:,} problems", f"{arm.tokens:,} tokens, {arm.minutes:.0f} min")
    return [name, spent, *(_reached(arm.results.get(split)) for split in ablation.splits)]


def _reached(result: ArmResult | None) -> str:
    if result is None:
        return "not measured"
    share = result.accuracy
    return below(
        f"{result.correct}/{result.problems}, {100 * share.value:.0f} %",
        f"{100 * share.low:.0f} to {100 * share.high:.0f}",
        f"{result.mean_tokens:.0f} tokens",
    )
