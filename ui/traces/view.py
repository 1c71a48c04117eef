"""What the Traces tab shows: pure functions from traces and reports to HTML."""

import re
from collections.abc import Mapping, Sequence

from common.text import counted, duration
from eval.problems.benchmark_sets import TRAINING
from eval.problems.rows import how_to_get
from traces.keeping.anatomy import counts, segments
from traces.keeping.keep import REASONS
from traces.keeping.trace import Trace
from traces.keeping.yields import TITLES as METHOD_TITLES
from traces.keeping.yields import MethodYield, yield_rows
from traces.problems.curate import FunnelReport
from ui.kit.html import Markup, note, render, table
from ui.lens.view import Thought, lens, lens_pair, thought_of
from ui.traces.library import BaseAnswer, Entry

SIGNS = {r"\cdot": "·", r"\times": "×", r"\equiv": "≡", r"\bmod": "mod", r"\gcd": "gcd"}
SHOWN = 200


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
        facts += [counted(turns, "turn")] if turns else []
        choices.append((f"{question}\n{' · '.join(facts)}", entry.id))
    return choices


def plain(question: str) -> str:
    """A question with its LaTeX turned into plain signs, for display in a list."""
    for sign, shown in SIGNS.items():
        question = question.replace(sign, shown)
    question = re.sub(r"\\pmod\{(\w+)\}", r"(mod \1)", question)
    return re.sub(r"\\operatorname\{(\w+)\}", r"\1", question).replace("$", "")


def missing_sentence(missing: Mapping[str, int]) -> str:
    """What is not listed and why; `missing` as `TraceLibrary.missing` counts it."""
    return " ".join(
        f"{number:,} more {'trace is' if number == 1 else 'traces are'} not listed: they are on problems of "
        f"{TRAINING[name].title}, and this machine does not have that set or has another version of it. "
        f"{how_to_get(TRAINING[name])}"
        if name in TRAINING
        else f"{number:,} more are not listed: they refer to the unknown set {name}."
        for name, number in missing.items()
    )


def count_sentence(shown: int, of: int) -> str:
    if not of:
        return "There are no traces here yet."
    if not shown:
        return f"None of the {of:,} traces match these filters."
    first = f" The first {SHOWN} are listed." if shown > SHOWN else ""
    return f"{shown:,} of {of:,} traces.{first} Choose one to read it."


def trace_html(trace: Trace) -> Markup:
    """Verdict, facts, and the thought under the lens."""
    problem = trace.problem
    where = " · ".join(part for part in (problem.subject, f"level {problem.level}" if problem.level else "") if part)
    return render(
        '{% if where %}<div class="label">{{ where }}</div>{% endif %}{{ verdict }}{{ facts }}{{ thought }}',
        where=where or problem.benchmark,
        verdict=verdict_html(trace),
        facts=note(facts(trace)),
        thought=lens(thought_of(trace.thought, trace.answer)),
    )


def verdict_html(trace: Trace) -> Markup:
    """Kept, or why not."""
    if trace.kept is None:
        return Markup('<p class="verdict">Not verified.</p>')
    if trace.kept and not trace.reason:
        return Markup('<p class="verdict good">Kept: two independent checks found the answer right.</p>')
    code, _, detail = trace.reason.partition(": ")
    if trace.kept:
        return render('<p class="verdict">Kept without a check: {{ reason }}.</p>', reason=detail or code)
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


def compare_html(trace: Trace, base: BaseAnswer) -> Markup:
    """The trace's response next to the base's answer, and where the two diverge."""
    cut = " It was cut off at its limit." if base.finish_reason == "length" else ""
    own = Thought(f"{trace.thought}\n{trace.answer}", "This trace", "distilled")
    remark = f"Base: {base.model}, greedy, {base.tokens} tokens.{cut}"
    return note(remark) + lens_pair(Thought(base.text, "Base", "base"), own)


def funnel_html(report: FunnelReport) -> Markup:
    """The funnel as bars with the rule in words, and examples of what each rule dropped."""
    against = f" Copies of {', '.join(report.benchmarks)} are dropped." if report.benchmarks else ""
    return render(
        "<p><b>{{ kept }} of {{ read }} problems kept</b> from {{ source }}.{{ against }}</p>"
        '<p class="note">sha256 of the rows as read: <code>{{ sha256 }}</code></p>'
        '<div class="funnel">{% for stage, dropped, width, left, examples in stages %}<details class="stage"><summary>'
        '<span class="rule">{{ stage.rule }}</span><b>{{ dropped }}</b><span class="track">'
        '<span style="width:{{ width }}"></span></span><span>{{ left }}</span></summary>'
        '{% if examples %}<ul>{% for question, why in examples %}<li><span translate="no">{{ question }}</span> '
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
