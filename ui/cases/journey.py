"""The journey page: timeline, Table 1, the four ways to a long thought with their costs here, the lesson, ablations.

Measurements (`ui.cases.evidence`) are read when the page is loaded; missing ones are shown as missing.
"""

from math import log10

import gradio as gr
import plotly.graph_objects as go

from eval.paper.figures import PAPER_URL, PART_1, PART_1_EXAMPLES, PART_1_URL, TABLE_1, TIMELINE, WAYS
from traces.publishing.report import read_report
from ui.cases.evidence import ADAPTER, ablation_html, bitter_evidence, cost_of_ways
from ui.kit.events import when_opened
from ui.kit.html import (
    Markup,
    card,
    cards,
    html,
    note,
    prose,
    render,
    section,
    shown,
    stacked_row,
    strong,
    table,
    text_of,
)
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, figure_layout
from ui.services import Services
from ui.traces.library import TraceLibrary

OURS = "Ours-72B"


def build_journey_page(services: Services) -> None:
    """The page inside the current tab; measured parts are read anew at each load."""
    text = text_of("journey")
    html(
        prose(text["intro"])
        + section("Ten weeks", timeline_html())
        + section("Does the journey teach more than the direct path?", prose(text["part_1"]), part_1_html())
        + section("What the shortcut achieved, and at what cost", prose(text["table_1"]))
    )
    with stacked_row(equal_height=False):
        with gr.Column(min_width=320):
            html(table_1_html() + prose(text["table_1_reading"]))
        with gr.Column(min_width=320):
            gr.Plot(table_1_figure(), show_label=False)
    library = TraceLibrary(services.home)
    measured = html(measured_html(library), elem_id="journey-measured")
    when_opened(lambda: shown(measured_html(library)), [], [measured])


def measured_html(library: TraceLibrary) -> Markup:
    """The part of the page that compares the paper's story with what was measured here."""
    text = text_of("journey")
    return (
        section("Four ways to make a long thought", prose(text["ways"]), ways_html(library))
        + section("The bitter lesson", prose(text["bitter"]), lesson_html())
        + section("What each part contributes", prose(text["ablations"]), ablation_html())
    )


def timeline_html() -> Markup:
    """The paper's ten weeks, milestone by milestone."""
    texts = text_of("journey")["timeline"]
    return render(
        '<ol class="timeline">{% for m, day, entry in milestones %}<li{% if not m.day %} class="undated"{% endif %}>'
        '<div class="label">{% if m.day %}<time datetime="{{ m.day }}">{{ day }}</time>{% else %}{{ day }}{% endif %}'
        "</div><b>{{ entry.title }}</b><p>{{ entry.text }}</p></li>{% endfor %}</ol>",
        milestones=[(m, f"{m.day.day} {m.day:%B %Y}" if m.day else "In between", texts[m.key]) for m in TIMELINE],
    )


def part_1_html() -> Markup:
    """The paper's comparison of shortcut and journey learning, from its first part."""
    head = ("trained from", "before", "shortcut", "journey")
    rows = [(r.base_model, f"{r.base:.1f} %", f"{r.shortcut:.1f} %", strong(f"{r.journey:.1f} %")) for r in PART_1]
    source = render(
        "Right answers on 500 MATH problems, after training on {{ n }} solutions of either kind. The paper’s figures: "
        '<a href="{{ address }}">arXiv 2410.18982</a>.',
        n=PART_1_EXAMPLES,
        address=PART_1_URL,
    )
    return table(head, rows, "slim") + note(source)


def table_1_html() -> Markup:
    """The paper's Table 1."""
    head = ("model", "AIME 2024", "tokens", "MATH500", "tokens")
    rows = [
        (
            strong(r.model) if r.model == OURS else r.model,
            f"{r.aime_correct} of {r.aime_total}",
            f"{r.aime_tokens:,}",
            f"{r.math500:.1f} %",
            f"{r.math500_tokens:,}",
        )
        for r in TABLE_1
    ]
    source = render(
        'The paper’s figures, Table 1: <a href="{{ address }}">arXiv 2411.16489</a>. Tokens: mean output tokens per '
        "problem. Ours-72B is the distilled model.",
        address=PAPER_URL,
    )
    return table(head, rows) + note(source)


def table_1_figure() -> go.Figure:
    """Accuracy against mean output tokens, one point a model and set."""
    figure = go.Figure()
    for model, symbol in zip(TABLE_1, ("diamond", "square", "circle"), strict=True):
        figure.add_scatter(
            x=[model.math500_tokens, model.aime_tokens],
            y=[model.math500, 100 * model.aime_correct / model.aime_total],
            text=["MATH500", "AIME 2024"],
            name=model.model,
            mode="markers",
            marker={
                "size": 14,
                "symbol": symbol,
                "color": DISTILLED_COLOUR if model.model == OURS else BASE_COLOUR,
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="%{text}: %{y:.1f} % at %{x:,} tokens<extra>" + model.model + "</extra>",
        )
    for x, y, name in ((1500, 97, "MATH500"), (9000, 57, "AIME 2024")):
        figure.add_annotation(x=log10(x), y=y, text=name, showarrow=False, font={"size": 13})
    figure.update_xaxes(
        title="mean output tokens per problem", type="log", range=[2.8, 4.2], tickvals=[1000, 2000, 5000, 10000]
    )
    figure.update_yaxes(title="accuracy, %", range=[30, 102])
    figure_layout(figure)
    figure.update_layout(title_text="The paper’s Table 1: accuracy against cost", height=360, legend_y=-0.24)
    return figure


def ways_html(library: TraceLibrary) -> Markup:
    """The four ways to a long thought, with what each cost here."""
    texts, costs = text_of("journey")["way"], cost_of_ways(library)
    return cards(
        *(card(f"{n}. {texts[way]['title']}", texts[way]["text"], costs[way]) for n, way in enumerate(WAYS, 1))
    )


def lesson_html() -> Markup:
    """Each point of the lesson next to the evidence for it here."""
    seen = bitter_evidence(read_report(ADAPTER))
    return render(
        '{% for entry, here in points %}<section class="card split"><div><h3>{{ entry.title }}</h3>'
        "<p>{{ entry.text }}</p></div><div>{{ here }}</div></section>{% endfor %}",
        points=[(entry, seen[key]) for key, entry in text_of("journey")["lesson"].items()],
    )
