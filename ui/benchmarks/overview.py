"""The first thing on the Benchmarks tab: every set of the loaded pair in one table."""

from collections.abc import Sequence

from eval.results.comparison import points
from eval.results.overview import SetResult, in_words
from ui.kit.html import Markup, below, render, section, strong, table, term


def overview_html(results: Sequence[SetResult]) -> Markup:
    """A row a set and a plain sentence; empty without complete runs."""
    if not results:
        return Markup("")
    rows = [
        (
            below(one.title, f"{one.n} problems × {one.k}" + (", recorded" if one.recorded else "")),
            f"{100 * one.base:.1f} %",
            f"{100 * one.distilled:.1f} %",
            below(strong(points(one.difference)), f"{points(one.low)} to {points(one.high)}"),
            f"{one.base_tokens:.0f} → {one.distilled_tokens:.0f}",
        )
        for one in results
    ]
    return section(
        "Is the distilled model better?",
        render('<p class="question">{{ sentence }}</p>', sentence=in_words(results)),
        table(("set", "base", "distilled", "difference, 95 %", "tokens an answer"), rows),
        render(
            '<p class="note">Each row is the largest complete run of its set on this pair: {{ difference }}, '
            "{{ tokens }}"
            "{% if recorded %}, {{ recorded }}{% endif %}. Choose any run below to look inside.</p>",
            difference=term("difference"),
            tokens=term("tokens"),
            recorded=term("recorded") if any(one.recorded for one in results) else "",
        ),
    )
