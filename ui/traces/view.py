"""What the Traces tab shows: pure functions from traces and reports to HTML."""

import re
from collections.abc import Sequence

from common.text import duration
from traces.keeping.anatomy import KINDS, MARKS, TITLES, Segment, counts, first_divergence, segments
from traces.keeping.keep import REASONS
from traces.keeping.trace import Trace
from traces.keeping.yields import TITLES as METHOD_TITLES
from traces.keeping.yields import MethodYield, yield_rows
from traces.problems.curate import FunnelReport
from ui.kit.html import Markup, join, note, render, table
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
        return f"None of the {of:,} traces match these filters."
    first = f" The first {SHOWN} are listed." if shown > SHOWN else ""
    return f"{shown:,} of {of:,} traces.{first} Choose one to read it."


def trace_html(trace: Trace, fold: bool = False) -> Markup:
    """Verdict, facts, the thought as segments that fold, and the answer."""
    problem = trace.problem
    where = " · ".join(part for part in (problem.subject, f"level {problem.level}" if problem.level else "") if part)
    parts = segments(trace.thought)
    return render(
        '{% if where %}<div class="label">{{ where }}</div>{% endif %}{{ verdict }}{{ facts }}{{ chips }}{{ thought }}'
        '<section class="seg answer"><h4>Answer</h4><div class="text">{{ answer }}</div></section>',
        where=where or problem.benchmark,
        verdict=verdict_html(trace),
        facts=note(facts(trace)),
        chips=count_chips(parts),
        thought=join(segment_html(part, fold) for part in parts) or note("There is no thought."),
        answer=trace.answer or "–",
    )


def verdict_html(trace: Trace) -> Markup:
    """Kept, or why not."""
    if trace.kept is None:
        return Markup('<p class="verdict">Not verified.</p>')
    if trace.kept:
        return Markup('<p class="verdict good">Kept: two independent checks found the answer right.</p>')
    code, _, detail = trace.reason.partition(": ")
    rule = REASONS.get(code, code)
    more = f" ({detail})" if detail and detail != rule else ""
    return render('<p class="verdict bad">Rejected: {{ reason }}.</p>', reason=rule + more)


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


def count_chips(parts: Sequence[Segment]) -> Markup:
    """How many segments there are of each kind; also the legend of the colours."""
    number = counts(parts)
    return render(
        '<div class="legend">{% for kind, title, n in chips %}<span class="part {{ kind }}">{{ title }} {{ n }}</span>'
        "{% endfor %}</div>",
        chips=[(kind, TITLES[kind], number[kind]) for kind in KINDS if number[kind]],
    )


def segment_html(part: Segment, fold: bool) -> Markup:
    """One segment that opens and closes. With `fold` only marks and the final answer start open."""
    return render(
        '<details class="seg {{ part.kind }}"{{ opened }}><summary>'
        '<span class="part {{ part.kind }}">{{ title }}</span>'
        '{% if part.cue %} <span class="cue">“{{ part.cue }}”</span>{% endif %}</summary>'
        '<div class="text">{{ text }}</div></details>',
        part=part,
        opened="" if fold and part.kind not in MARKS | {"final_answer"} else " open",
        title=TITLES[part.kind],
        text=part.text.strip(),
    )


def compare_html(trace: Trace, base: BaseAnswer) -> Markup:
    """The trace's response beside the base's answer: counts by kind, and where the two part."""
    own, other = segments(f"{trace.thought}\n{trace.answer}"), segments(base.text)
    mine, theirs = counts(own), counts(other)
    rows = [[TITLES[kind], str(theirs[kind]), str(mine[kind])] for kind in KINDS]
    rows.append(["Words", str(len(base.text.split())), str(len(f"{trace.thought} {trace.answer}".split()))])
    cut = " It was cut off at its limit." if base.finish_reason == "length" else ""
    return (
        note(f"Base: {base.model}, greedy, {base.tokens} tokens.{cut}")
        + table(["Parts", "Base", "This trace"], rows)
        + parting_html(base.text, f"{trace.thought}\n{trace.answer}")
    )


def parting_html(base: str, own: str) -> Markup:
    """Both texts from where they part, with the end of what they share before it."""
    parting = first_divergence(base, own)
    if parting is None:
        return render('<p>One text begins with all of the other.</p><div class="text">{{ base }}</div>', base=base)
    sides = [
        (title, text[max(0, at - LEAD) : at], text[at:])
        for title, text, at in (("Base", base, parting.at_a), ("This trace", own, parting.at_b))
    ]
    return render(
        '<p>They part {{ shared }}.</p><div class="cards">{% for title, before, after in sides %}<section class="card">'
        '<h4>{{ title }}</h4><div class="text"><span class="shared">{{ before }}</span><b>▸</b> {{ after }}</div>'
        "</section>{% endfor %}</div>",
        shared=f"after {parting.words} shared words" if parting.words else "at the first word",
        sides=sides,
    )


def funnel_html(report: FunnelReport) -> Markup:
    """The funnel as bars with the rule in words, and examples of what each rule dropped."""
    against = f" Copies of {', '.join(report.benchmarks)} are dropped." if report.benchmarks else ""
    return render(
        "<p><b>{{ kept }} of {{ read }} problems kept</b> from {{ source }}.{{ against }}</p>"
        '<p class="note">sha256 of the rows as read: <code>{{ sha256 }}</code></p>'
        '<div class="funnel">{% for stage, dropped, width, left, examples in stages %}<details class="stage"><summary>'
        '<span class="rule">{{ stage.rule }}</span><b>{{ dropped }}</b><span class="track">'
        '<span style="width:{{ width }}"></span></span><span>{{ left }}</span></summary>'
        "{% if examples %}<ul>{% for question, why in examples %}<li>{{ question }} "
        '<span class="note">{{ why }}</span></li>{% endfor %}</ul>'
        '{% else %}<p class="note">Nothing was dropped here.</p>{% endif %}</details>{% endfor %}</div>',
        kept=f"{report.kept:,}",
        read=f"{report.read:,}",
        source=report.source,
        against=against or " Compared with no benchmark.",
        sha256=report.sha256[:16],
        stages=[
            (
                stage,
                f"−{stage.dropped:,}" if stage.dropped else "0",
                f"{stage.left / report.read if report.read else 0:.1%}",
                f"{stage.left:,}",
                [(_short(example.question), _short(example.why)) for example in stage.examples],
            )
            for stage in report.stages
        ],
    )


def yields_html(yields: Sequence[MethodYield]) -> Markup:
    """The table of yield and cost by method."""
    rows = yield_rows(yields)
    if not rows:
        return note("No verified traces yet.")
    return table(list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])


def _short(text: str, most: int = 220) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
