"""What the votes mean, on the Preferences tab: controlled preference, preference against correctness, topics."""

from collections.abc import Sequence
from math import exp

import plotly.graph_objects as go

from insights.preference import NotEnough, Preference, PreferenceModel
from insights.reading import TopicReading
from insights.truth import MIN_CHOICES, Choices, Truth
from ui.kit.html import Markup, below, bullets, join, note, render, section, table
from ui.kit.palette import figure_layout
from votes.ranking import WinRate

EXAMPLES = 3
"""Battles linked from each topic, and from each count."""
QUADRANTS = {
    (True, True): "both right",
    (True, False): "only the distilled model right",
    (False, True): "only the base right",
    (False, False): "both wrong",
}
VOTED = {"distilled": "distilled", "base": "base", "tie": "tie", "both_bad": "both bad"}
FEWEST = 10
"""Votes below which a topic shows no win rate."""
COLOURS = ("#0d9488", "#64748b", "#d97706", "#7c3aed", "#2563eb", "#be185d", "#4d7c0f", "#0e7490")


def preference_html(model: PreferenceModel | NotEnough) -> Markup:
    """Counted and controlled preference side by side, with what moved it."""
    title = "Is it the model, or how the answer looks?"
    if isinstance(model, NotEnough):
        return section(title, note(model.sentence))
    rows = [
        ("As counted", *_preference(model.raw)),
        ("At equal position, length and Markdown", *_preference(model.controlled)),
    ]
    return section(
        title,
        table(("", "Prefer the distilled model", "95 %"), rows, "slim"),
        note(f"{_verdict(model)} {model.votes} votes by {model.visitors} visitors on {model.prompts} prompts."),
        _effects(model),
    )


def truth_html(truth: Truth, shareable: frozenset[str]) -> Markup:
    """How often people preferred the right answer. Only battles in `shareable` are linked."""
    title = "Do people prefer the right answer?"
    if not truth.graded:
        return section(
            title,
            note("No votes yet on problems with a known answer. Ask one of the benchmarks' problems to add some."),
        )
    head = ("", *VOTED.values())
    quadrants = [
        (name, *(_linked(truth.quadrants[quadrant].get(vote, ()), shareable) for vote in VOTED))
        for quadrant, name in QUADRANTS.items()
    ]
    shares = [
        ("before reading the reasoning", *_choices(truth.by_stage["answers"])),
        ("after reading it", *_choices(truth.by_stage["reasoning"])),
        ("where the right answer is the longer one", *_choices(truth.by_length["longer"])),
        ("where it is not", *_choices(truth.by_length["not longer"])),
    ]
    return section(
        title,
        note(
            f"{truth.graded} votes on problems with a known answer. Both answers were graded; visitors did not see it."
        ),
        table(("Preferred the right answer", "share", "95 %", "votes"), shares, "slim"),
        note(_reading(truth)),
        table(head, [("Votes on the answers alone", *[""] * len(VOTED)), *quadrants], "slim"),
    )


def topics_html(reading: TopicReading, shareable: frozenset[str]) -> Markup:
    """Each topic with its votes. Only battles in `shareable` are quoted."""
    title = "What people ask about"
    if not reading.topics:
        return section(title, note("No blind votes yet."))
    rows = [
        (
            below(one.topic.name, *_examples(one.votes, shareable)),
            str(len(one.votes)),
            str(one.different),
            *_win_rate(one.rate),
        )
        for one in reading.topics
    ]
    facts = [f"{reading.copies} votes are on a near-copy of another vote's question."] if reading.copies else []
    if reading.benchmark_copies:
        facts.append(f"{reading.benchmark_copies} are on a problem of a benchmark.")
    return section(
        title,
        table(("topic", "votes", "different questions", "win rate", "95 %"), rows, "words"),
        bullets(facts) if facts else "",
    )


def topics_figure(reading: TopicReading) -> go.Figure:
    """Every question as a point, coloured by topic; likeness in meaning is nearness."""
    fig = go.Figure()
    place = {vote.row_id: at for at, vote in enumerate(reading.votes)}
    for number, one in enumerate(reading.topics):
        points = [reading.points[place[vote.row_id]] for vote in one.votes]
        fig.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="markers",
            name=one.topic.name,
            marker={"size": 9, "color": COLOURS[number % len(COLOURS)]},
            hovertemplate=f"{one.topic.name}<extra></extra>",
        )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    fig.update_layout(title_text="Questions by meaning", height=420)
    return figure_layout(fig)


def _preference(preference: Preference) -> tuple[str, str]:
    return f"{100 * preference.share:.0f} %", f"{100 * preference.low:.0f}–{100 * preference.high:.0f} %"


def _verdict(model: PreferenceModel) -> str:
    if model.controlled.decided:
        better = "distilled model" if model.controlled.share > 0.5 else "base"
        return f"With position, length and Markdown held equal, people prefer the {better}."
    if model.more_votes is None:
        return "With position, length and Markdown held equal, neither is preferred."
    return (
        "With position, length and Markdown held equal, there is no clear preference yet; "
        f"about {model.more_votes:,} more votes are needed."
    )


def _effects(model: PreferenceModel) -> Markup:
    if not model.effects:
        return Markup("")
    rows = [
        (
            effect.title,
            below(f"× {effect.odds_ratio:.2f}", f"{effect.low:.2f} to {effect.high:.2f}"),
            "< 0.001" if effect.p_value < 0.001 else f"{effect.p_value:.3f}",
            f"{_points(model, effect.moved):+.1f}",
        )
        for effect in model.effects
    ]
    return join(
        [
            table(("", "odds of being preferred", "p (Holm)", "points of the counted preference"), rows, "slim"),
            note("Effect of going from equal lengths to all the text on one side, or from place B to place A."),
        ]
    )


def _points(model: PreferenceModel, moved: float) -> float:
    """How many points of the controlled preference a change of this many log odds is."""
    share = model.controlled.share
    odds = share / (1 - share) * exp(moved)
    return 100 * (odds / (1 + odds) - share)


def _choices(choices: Choices) -> tuple[str, str, str]:
    if choices.share is None or choices.interval is None:
        return "not enough yet", "", f"{choices.total} of {MIN_CHOICES}"
    low, high = choices.interval
    return f"{100 * choices.share:.0f} %", f"{100 * low:.0f}–{100 * high:.0f} %", str(choices.total)


def _reading(truth: Truth) -> str:
    reading = truth.reading
    if reading.p_value is None:
        return "Nobody has yet changed their vote after reading the reasoning, where one answer is right."
    chance = f"p = {reading.p_value:.2f}" if reading.p_value >= 0.01 else "p < 0.01"
    return (
        f"After reading the reasoning, {reading.to_right} of {reading.battles} turned to the right answer and "
        f"{reading.to_wrong} away from it ({chance}, McNemar's exact test)."
    )


def _win_rate(rate: WinRate) -> tuple[str, str]:
    if rate.votes < FEWEST or rate.rate is None or rate.interval is None:
        return "not enough yet", ""
    return f"{100 * rate.rate:.0f} %", f"{100 * rate.interval.low:.0f}–{100 * rate.interval.high:.0f} %"


def _linked(battles: Sequence[str], shareable: frozenset[str]) -> Markup:
    """The count, and links to the first of its battles."""
    links = [
        render('<a href="?battle={{ battle }}">{{ number }}</a>', battle=battle, number=number)
        for number, battle in enumerate([b for b in battles if b in shareable][:EXAMPLES], start=1)
    ]
    return below(str(len(battles)), join(links, " ")) if links else Markup(str(len(battles)))


def _examples(votes: Sequence[object], shareable: frozenset[str]) -> list[Markup]:
    seen: dict[str, Markup] = {}
    for vote in votes:
        battle, question = vote.battle_id, " ".join(vote.turns[0].prompt.split())  # type: ignore[attr-defined]
        if battle in shareable and question not in seen and len(seen) < EXAMPLES:
            short = question if len(question) <= 90 else f"{question[:89]}…"
            seen[question] = render('<a href="?battle={{ battle }}">{{ text }}</a>', battle=battle, text=short)
    return list(seen.values())
