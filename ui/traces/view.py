"""What the Traces tab shows: pure functions from traces and reports to HTML. Does not know widgets."""

import re
from collections.abc import Sequence
from html import escape

from common.text import duration
from traces.keeping.anatomy import KINDS, MARKS, TITLES, Segment, counts, first_divergence, segments
from traces.keeping.keep import REASONS
from traces.keeping.trace import Trace
from traces.keeping.yields import TITLES as METHOD_TITLES
from traces.keeping.yields import MethodYield, yield_rows
from traces.problems.curate import FunnelReport
from ui.kit.raw import table
from ui.traces.library import BaseAnswer, Entry

SIGNS = {r"\cdot": "·", r"\times": "×", r"\equiv": "≡", r"\bmod": "mod", r"\gcd": "gcd"}
SHOWN = 200
LEAD = 240
"""Characters shown of what two texts share before they part."""


def outcome_words(entry: Entry) -> str:
    """Kept, not verified, or the reason's code in words."""
    words = {"kept": "kept", "unverified": "not verified"}
    return words.get(entry.outcome, entry.outcome.replace("_", " "))


def list_choices(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """(what the list says of it, id) for the first `SHOWN` traces."""
    choices = []
    for entry in entries[:SHOWN]:
        found = counts(segments(entry.trace.thought))
        question = _short(plain(entry.trace.problem.question), 100)
        turns = found["reflection"] + found["turning_back"]
        facts = [METHOD_TITLES[entry.trace.method], outcome_words(entry), f"{entry.words} words"]
        facts += [f"{turns} turn{'s' if turns > 1 else ''}"] if turns else []
        choices.append((f"{question}\n{' · '.join(facts)}", entry.id))
    return choices


def plain(question: str) -> str:
    """A question with the signs of LaTeX in it, as a list can show it."""
    for sign, shown in SIGNS.items():
        question = question.replace(sign, shown)
    question = re.sub(r"\\pmod\{(\w+)\}", r"(mod \1)", question)
    return re.sub(r"\\operatorname\{(\w+)\}", r"\1", question).replace("$", "")


def count_sentence(shown: int, of: int) -> str:
    if not of:
        return "There are no traces here yet."
    if not shown:
        return f"None of the {of:,} traces fits these filters."
    first = f" The first {SHOWN} are listed." if shown > SHOWN else ""
    return f"{shown:,} of {of:,} traces.{first} Choose one to read it."


def trace_html(trace: Trace, fold: bool = False) -> str:
    """Verdict, facts, the thought as segments that fold, and the answer."""
    problem = trace.problem
    where = " · ".join(part for part in (problem.subject, f"level {problem.level}" if problem.level else "") if part)
    parts = segments(trace.thought)
    return "".join([
        f'<div class="label">{escape(where or problem.benchmark)}</div>' if where or problem.benchmark else "",
        verdict_html(trace),
        f'<p class="note">{escape(facts(trace))}</p>',
        count_chips(parts),
        "".join(segment_html(part, fold) for part in parts) or '<p class="note">There is no thought.</p>',
        f'<section class="seg answer"><h4>Answer</h4><div class="text">{escape(trace.answer) or "–"}</div></section>',
    ])  # fmt: skip


def verdict_html(trace: Trace) -> str:
    """Kept, or why not."""
    if trace.kept is None:
        return '<p class="verdict">Not verified.</p>'
    if trace.kept:
        return '<p class="verdict good">Kept: two independent checks found the answer right.</p>'
    code, _, detail = trace.reason.partition(": ")
    rule = REASONS.get(code, code)
    more = f" ({detail})" if detail and detail != rule else ""
    return f'<p class="verdict bad">Rejected: {escape(rule + more)}.</p>'


def facts(trace: Trace) -> str:
    """Who made it and what it took, in one line."""
    parts = [
        f"{METHOD_TITLES[trace.method]}, by {trace.model}",
        f"{trace.tokens:,} tokens" if trace.tokens else "",
        duration(trace.seconds) if trace.seconds else "",
        f"US$ {trace.cost:.4f}" if trace.cost else "",
        f"attempt {trace.attempt}, seed {trace.seed}" if trace.method != "people" else "",
        f"id {trace.hash}",
    ]
    return " · ".join(part for part in parts if part)


def count_chips(parts: Sequence[Segment]) -> str:
    """How many segments of each kind, as the colours' legend."""
    found = counts(parts)
    chips = (f'<span class="part {kind}">{TITLES[kind]} {found[kind]}</span>' for kind in KINDS if found[kind])
    return f'<div class="legend">{"".join(chips)}</div>'


def segment_html(part: Segment, fold: bool) -> str:
    """One segment that opens and closes. With `fold` only marks and the final answer start open."""
    opened = "" if fold and part.kind not in MARKS | {"final_answer"} else " open"
    cue = f' <span class="cue">“{escape(part.cue)}”</span>' if part.cue else ""
    head = f'<summary><span class="part {part.kind}">{TITLES[part.kind]}</span>{cue}</summary>'
    return (
        f'<details class="seg {part.kind}"{opened}>{head}<div class="text">{escape(part.text.strip())}</div></details>'
    )


def compare_html(trace: Trace, base: BaseAnswer) -> str:
    """The trace's response beside the base's answer: counts by kind, and where the two first part."""
    own, other = segments(f"{trace.thought}\n{trace.answer}"), segments(base.text)
    mine, theirs = counts(own), counts(other)
    rows = [[TITLES[kind], str(theirs[kind]), str(mine[kind])] for kind in KINDS]
    rows.append(["Words", str(len(base.text.split())), str(len(f"{trace.thought} {trace.answer}".split()))])
    cut = " It was cut off at its limit." if base.finish_reason == "length" else ""
    return (
        f'<p class="note">Base: {escape(base.model)}, greedy, {base.tokens} tokens.{cut}</p>'
        + table(["Parts", "Base", "This trace"], rows)
        + parting_html(base.text, f"{trace.thought}\n{trace.answer}")
    )


def parting_html(base: str, own: str) -> str:
    """Both texts from where they first part, with the end of what they share before it."""
    parting = first_divergence(base, own)
    if parting is None:
        lead = "<p>The two never part: one ends where the other goes on.</p>"
        return f'{lead}<div class="text">{escape(base)}</div>'
    shared = "from the first word" if not parting.words else f"after {parting.words} shared words"
    sides = []
    for title, text, at in (("Base", base, parting.at_a), ("This trace", own, parting.at_b)):
        before = text[max(0, at - LEAD) : at]
        sides.append(
            f'<section class="card"><h4>{title}</h4><div class="text"><span class="shared">{escape(before)}</span>'
            f"<b>▸</b> {escape(text[at:])}</div></section>"
        )
    return f'<p>They part {shared}.</p><div class="cards">{"".join(sides)}</div>'


def funnel_html(report: FunnelReport) -> str:
    """The funnel as bars with the rule in words, and examples of what each dropped."""
    against = f" Kept clear of {', '.join(report.benchmarks)}." if report.benchmarks else " Compared with no benchmark."
    head = (
        f"<p><b>{report.kept:,} of {report.read:,} problems kept</b> from {escape(report.source)}.{escape(against)}</p>"
        f'<p class="note">sha256 of the rows as read: <code>{report.sha256[:16]}</code></p>'
    )
    stages = []
    for stage in report.stages:
        share = stage.left / report.read if report.read else 0
        dropped = f"−{stage.dropped:,}" if stage.dropped else "0"
        bar = f'<span class="track"><span style="width:{share:.1%}"></span></span>'
        line = f'<span class="rule">{escape(stage.rule)}</span><b>{dropped}</b>{bar}<span>{stage.left:,}</span>'
        examples = "".join(
            f"<li>{escape(_short(example.question))} <span class='note'>{escape(_short(example.why))}</span></li>"
            for example in stage.examples
        )
        body = f"<ul>{examples}</ul>" if examples else '<p class="note">Nothing was dropped here.</p>'
        stages.append(f'<details class="stage"><summary>{line}</summary>{body}</details>')
    return head + f'<div class="funnel">{"".join(stages)}</div>'


def yields_html(yields: Sequence[MethodYield]) -> str:
    """The table of yield and cost by method."""
    rows = yield_rows(yields)
    if not rows:
        return '<p class="note">No verified traces yet.</p>'
    return table(list(rows[0]), [[escape(str(cell)) for cell in row.values()] for row in rows])


def _short(text: str, most: int = 220) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
