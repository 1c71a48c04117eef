"""What the Benchmarks tab shows, as HTML and Markdown text. Pure: values in, text out, everything escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from typing import Any

from common.text import duration
from eval.results.comparison import VERDICTS, Cell, Comparison, SideSummary, headline, points
from eval.results.report import EACH_ALONE, breakdown_rows, command, summary_rows
from eval.runs.jobs import RunProgress
from eval.runs.log import ROLES, RunInfo
from eval.runs.runner import SideProgress
from ui.benchmarks.figures import VERDICT_COLOURS

GLYPHS = {"both": "✓", "only_distilled": "D", "only_base": "B", "neither": "·", "unsure": "?"}
"""Told apart without colour as well."""
OUTCOME_WORDS = {
    "correct": "correct",
    "wrong": "wrong",
    "no_answer": "no answer found",
    "grader_failed": "grader failed",
    "failed": "request failed",
    "ungraded": "not graded yet",
}
RUNGS = {"marker": "final-answer marker", "boxed": "last box", "none": "nothing found", "": "–"}
RUN_COLUMNS = ["run", "pair", "sets", "sampling", "answers", "repeat with"]


def headline_html(comparison: Comparison, going_on: bool = False, warnings: Sequence[str] = ()) -> str:
    so_far = '<span class="bm-live">so far</span> ' if going_on else ""
    notes = list(warnings)
    if comparison.left_out:
        words = "problem is" if comparison.left_out == 1 else "problems are"
        notes.append(f"{comparison.left_out} {words} left out: no verdict on both sides.")
    flags = comparison.base.flags + comparison.distilled.flags
    if flags:
        notes.append(f"People flagged {flags} grade{'s' * (flags > 1)} as wrong; no number changes for that.")
    if comparison.paired:
        notes.append(f"Method: {comparison.paired.method}.")
    sentence = f'<p class="bm-headline">{so_far}{escape(headline(comparison))}</p>'
    return f'{scoreboard_html(comparison)}{sentence}<p class="note">{escape(" ".join(notes))}</p>'


def scoreboard_html(comparison: Comparison) -> str:
    """Both models' accuracy and tokens side by side, and which is better; empty while there is nothing to compare."""
    p = comparison.paired
    if p is None:
        return ""
    better = "Distilled is better" if p.low > 0 else "Base is better" if p.high < 0 else "No difference shown"
    between = "–" if isnan(p.low) else f"{points(p.low)} to {points(p.high)}"
    base, distilled = comparison.base.output_tokens, comparison.distilled.output_tokens
    cost = f"{distilled / base:.2f} × the base's tokens" if base and distilled else "tokens not known"
    return (
        f'<div class="bm-score">{_score("base", comparison.base)}{_score("distilled", comparison.distilled)}'
        f'<div class="bm-card gain"><span class="chip {"good" if p.low > 0 else "bad" if p.high < 0 else "busy"}">'
        f"{better}</span><b>{points(p.difference)} points</b>"
        f"<span>95 %: {between}</span><span>{cost}</span></div></div>"
    )


def _score(role: str, side: SideSummary) -> str:
    value, low, high = (100 * share for share in side.accuracy[:3])
    tokens = f"{side.output_tokens:,.0f} tokens an answer" if side.output_tokens else "tokens not known"
    return (
        f'<div class="bm-card {role}"><span class="name {role}">{role.capitalize()} <small>{escape(side.title)}</small>'
        f'</span><b>{value:.1f} %</b><span class="bm-meter"><i style="width:{value:.1f}%"></i>'
        f'<em style="left:{low:.1f}%;width:{high - low:.1f}%"></em></span>'
        f"<span>95 %: {low:.1f} to {high:.1f} %</span><span>{tokens}</span></div>"
    )


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="bm-table {kind}"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def summary_html(comparison: Comparison, data: Sequence[str] = ()) -> str:
    lines = "".join(f'<p class="note">{escape(line)}</p>' for line in data)
    return table_html(["", "base", "distilled"], summary_rows(comparison)) + lines


def runs_html(rows: Sequence[Sequence[str]]) -> str:
    """The list of runs."""
    return table_html(RUN_COLUMNS, rows, "bm-runs") if rows else '<p class="note">No run yet.</p>'


def breakdown_html(comparison: Comparison) -> str:
    parts = [
        table_html([name, "problems", "base", "distilled", "difference in points, 95 % interval"], breakdown_rows(rows))
        for name, rows in (("subject", comparison.by_subject), ("level", comparison.by_level))
        if rows
    ]
    note = f'<p class="note">{EACH_ALONE}</p>' if parts else ""
    return "<br>".join(parts) + note or '<p class="note">This set has no subjects or levels.</p>'


def grid_html(cells: Sequence[Cell], of: int, selected: str = "") -> str:
    """One button a problem; the legend counts what is shown."""
    counts = {verdict: sum(cell.verdict == verdict for cell in cells) for verdict in VERDICTS}
    legend = "".join(
        f'<span><i style="background:{VERDICT_COLOURS[v]}">{GLYPHS[v]}</i> {escape(words)} <b>{counts[v]}</b></span>'
        for v, words in VERDICTS.items()
    )
    shown = f"{len(cells)} of {of} problems" if len(cells) != of else f"{of} problems"
    body = "".join(_cell(cell, cell.problem_id == selected) for cell in cells)
    hint = (
        "Click a problem to read both answers." if cells else "None passes these filters." if of else "No answer yet."
    )
    return f'<div class="bm-legend">{legend}</div><p class="note">{shown}. {hint}</p><div class="bm-grid">{body}</div>'


def _cell(cell: Cell, selected: bool) -> str:
    tip = (
        f"{cell.problem_id}: {VERDICTS[cell.verdict]}; base {cell.base_right}/{cell.base_of},"
        f" distilled {cell.distilled_right}/{cell.distilled_of}"
    )
    if cell.cut:
        tip += "; cut off"
    if cell.flags:
        tip += f"; flagged by {cell.flags}"
    marks = "".join(f" {name}" for name, on in (("cut", cell.cut), ("flag", cell.flags), ("on", selected)) if on)
    colour = VERDICT_COLOURS[cell.verdict]
    return (
        f'<button type="button" class="bm-cell{marks}" style="background:{colour}" data-id="{escape(cell.problem_id)}"'
        f' title="{escape(tip)}" aria-label="{escape(tip)}">{GLYPHS[cell.verdict]}</button>'
    )


def progress_html(progress: RunProgress | None, where: str = "") -> str:
    """`where`: the page on which the run was begun, when it is another one."""
    if progress is None:
        return '<p class="note">No run is going on.</p>'
    rows = "".join(_bar(role, progress.sides[role]) for role in ROLES if role in progress.sides)
    words = {"waiting": "waiting for the servers", "grading": "grading the last answers"}
    phase = words.get(progress.phase, progress.phase)
    message = f" {escape(progress.message)}" if progress.message else ""
    head = f"<b>{escape(progress.run)}</b>{escape(where)}: {phase}.{message}"
    return f'<div class="bm-progress" role="status">{head}{rows}</div>'


def _bar(role: str, side: SideProgress) -> str:
    share = side.done / side.total if side.total else 1.0
    facts = [f"{side.done} of {side.total}"]
    if side.failed:
        facts.append(f"{side.failed} failed")
    if side.sitting:
        facts.append(f"{side.tokens_per_second:,.0f} tokens/s")
    if side.message == "running" and side.seconds_left is not None:
        facts.append(f"about {duration(side.seconds_left)} left")
    elif side.message != "running":
        facts.append(side.message)
    return (
        f'<div class="bm-bar {role}"><span class="bm-role">{role}</span><span class="bm-track" role="progressbar"'
        f' aria-valuenow="{100 * share:.0f}" aria-valuemin="0" aria-valuemax="100" aria-label="{role}">'
        f'<span style="width:{100 * share:.1f}%"></span></span>'
        f'<span class="bm-facts">{escape(" · ".join(facts))}</span></div>'
    )


def answer_head(role: str, title: str, detail: Mapping[str, Any]) -> str:
    """Verdict, extraction and cost of one sample."""
    good = {"correct": "good", "wrong": "bad"}.get(str(detail["outcome"]), "busy")
    verdict = OUTCOME_WORDS.get(str(detail["outcome"]), str(detail["outcome"]))
    facts = [
        f"extracted: {detail['extracted'] or '–'} ({RUNGS.get(str(detail['rung']), detail['rung'])})",
        f"{detail['thought_tokens']:,} tokens of thought, {detail['answer_tokens']:,} of answer",
    ]
    if detail["seconds"]:  # outputs made elsewhere come without
        facts += [f"{detail['seconds']:.1f} s", f"seed {detail['seed']}"]
    if detail["finish_reason"] == "length":
        facts.append("cut off by the token limit")
    if detail["note"]:
        facts.append(f"grader: {detail['note']}")
    if detail["error"]:
        facts.append(f"error: {detail['error']}")
    return (
        f'<div class="side-head"><span class="name {role}">{escape(title)}</span>'
        f'<span class="chip {good}">{escape(verdict)}</span></div>'
        f'<div class="side-figures">{escape(" · ".join(facts))}</div>'
    )


def flags_html(flags: Sequence[tuple[int, str, str, str]]) -> str:
    rows = "".join(
        f"<li>sample {index + 1}, graded “{escape(OUTCOME_WORDS.get(outcome, outcome))}”:"
        f" {escape(note or 'no comment')} <small>{escape(when)}</small></li>"
        for index, outcome, note, when in flags
    )
    return f'<ul class="note">{rows}</ul>' if rows else ""


def run_label(info: RunInfo) -> str:
    sets = ", ".join(data.title for data in info.data)
    samples = f", {info.config.samples} samples" if info.config.samples > 1 else ""
    origin = "" if info.origin == "run" else f" ({info.origin})"
    recorded = "Recorded · " if info.recorded else ""
    return f"{recorded}{info.created_at[:16].replace('T', ' ')} · {info.config.pair} · {sets}{samples}{origin}"


def run_row(info: RunInfo, answers: int) -> list[str]:
    """One line of the list of runs, with what repeats it."""
    c = info.config
    total = sum(data.problems for data in info.data) * c.samples * len(info.sides)
    own = info.origin == "run"
    thinking = f", {c.thinking_budget:,} of them thought" if c.thinking_budget else ""
    sampling = f"{c.samples} a problem, at most {c.max_tokens:,} tokens{thinking}, temperature {c.temperature:g}"
    return [
        f"{info.created_at[:16].replace('T', ' ')}\n{info.id}",
        c.pair,
        ", ".join(f"{data.title} ({data.problems})" for data in info.data),
        f"{sampling}, top-p {c.top_p:g}, seed {c.seed}" if own else f"{c.samples} a problem",
        f"{answers:,} of {total:,}",
        command(info) if own else info.origin,
    ]
