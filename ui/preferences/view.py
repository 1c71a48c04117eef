"""What the Preferences tab shows: groups, tables and figures from votes. Pure functions."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from common.text import counted
from ui.kit.html import Markup, render, table
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, figure_layout
from votes.ballot import STAGES, VERDICTS, Ballot
from votes.casting.views import SharedBattle
from votes.ranking import (
    FEWEST_VOTES,
    Day,
    Interval,
    PositionBias,
    WinRate,
    over_time,
    position_bias,
    win_rate,
    win_rates_by,
)

QUESTION_CHARACTERS = 110
HEIGHT = 400
"""Height of a figure, in pixels, the same for both since they are side by side."""
_DAY = 24 * 3600 * 1000
"""In milliseconds, plotly's unit of time."""
_HALF_DAY = timedelta(hours=12)
_BAND = "rgba(13, 148, 136, 0.16)"
_NAMES: dict[str, str] = {
    **{str(stage): label for stage, label in STAGES.items()},
    "blind": "Blind",
    "named": "Named",
    "continued": "Continued after the vote",
    "together": "Together",
    "live": "Live",
    "en": "English",
    "zh": "Chinese",
    "other": "Other",
}


class Group(NamedTuple):
    """Win rates under one heading, e.g. by prompt language, and which votes they cover."""

    heading: str
    of: str
    rates: dict[str, WinRate]


class Summary(NamedTuple):
    """All results for one pair's votes. The headline counts blind votes on the answers alone."""

    votes: int
    headline: WinRate
    visitors: int
    """Who cast the votes of the headline."""
    bias: PositionBias
    groups: list[Group]
    days: list[Day]


def summarise_votes(votes: Sequence[Ballot]) -> Summary:
    """Of votes that stand and are final. A first vote given again after the reasoning was seen is of neither stage; one
    on a battle with a blocked answer compares nothing."""
    votes = [vote for vote in votes if not vote.blocked]
    first = [vote for vote in votes if vote.on_answers_alone]
    both = [vote for vote in votes if vote.before_reading]
    blind = both + [vote for vote in votes if vote.after_reading]

    def group(heading: str, of: str, chosen: list[Ballot], key: Callable[[Ballot], str]) -> Group:
        rates = win_rates_by(chosen, key)
        return Group(heading, of, {_NAMES[name]: rates[name] for name in _NAMES if name in rates})

    groups = [
        group("By stage", "blind votes", blind, lambda vote: vote.stage),
        group("By mode", "votes on the answers alone", first, lambda vote: vote.mode),
        group("By delivery", "blind votes on the answers alone", both, lambda vote: vote.delivery),
        group("By prompt language", "blind votes on the answers alone", both, lambda vote: vote.language),
    ]
    return Summary(
        votes=len(votes),
        headline=win_rate(both),
        visitors=len({vote.visitor for vote in both}),
        bias=position_bias(both),
        groups=[group for group in groups if group.rates],
        days=over_time(both),
    )


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def between(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"


def tiles_html(summary: Summary) -> Markup:
    """The headline numbers as tiles."""
    head, bias = summary.headline, summary.bias
    if head.votes < FEWEST_VOTES:
        return render(
            '<section class="card"><h3>{{ votes }} so far</h3><p>A share of fewer than {{ fewest }} blind votes would '
            'turn over with the next one, so none is shown yet. <a href="?tab=compare" data-tab="compare">Ask both '
            "models something and vote.</a></p></section>",
            votes=f"{head.votes} blind vote{'' if head.votes == 1 else 's'} on the answers alone",
            fewest=FEWEST_VOTES,
        )
    bad = head.both_bad / head.votes if head.votes else None
    visitors = counted(summary.visitors, "visitor")
    tiles = [
        ("Votes", str(summary.votes), f"{head.votes} of them blind and on the answers alone, by {visitors}"),
        ("Win rate of the distilled model", percent(head.rate), f"95 % interval {between(head.interval)}"),
        ("Both bad", percent(bad), "share of the same votes; counted as half a win each"),
        ("Side A chosen", percent(bias.rate), f"95 % interval {between(bias.interval)}; 50 % is no position bias"),
    ]
    return render(
        '<div class="tiles">{% for label, value, note in tiles %}<div><span>{{ label }}</span>'
        "<strong>{{ value }}</strong><span>{{ note if value != '–' else 'no such votes yet' }}</span></div>"
        "{% endfor %}</div>",
        tiles=tiles,
    )


def table_html(groups: Iterable[Group]) -> Markup:
    """Counts and win rates of every group."""
    rows: list[str | tuple[str, ...]] = []
    for group in groups:
        rows.append(f"{group.heading}, of {group.of}")
        rows += [_table_row(name, rate) for name, rate in group.rates.items()]
    return table(("", "Votes", "Wins", "Losses", "Ties", "Both bad", "Win rate", "95 %"), rows)


def recent_html(battles: Sequence[SharedBattle]) -> Markup:
    """The latest battles that were voted on, each with its link."""
    link = '<a href="?battle={{ battle }}" translate="no">{{ question }}</a>'
    rows = [
        (
            _minute(battle.finished_at),
            render(link, battle=battle.battle_id, question=_shorten(battle.turns[0].prompt)),
            _outcome(battle),
        )
        for battle in battles
    ]
    return table(("UTC", "Question", "Vote"), rows, "words")


def win_rate_figure(groups: Sequence[Group]) -> go.Figure:
    """One point per group with its 95 % interval, against a line of no difference; none for groups too small."""
    lines: list[tuple[str, WinRate | None]] = []
    for group in groups:
        lines.append((f"<b>{group.heading}</b>", None))
        lines += [(f"{name} ({rate.votes})", rate) for name, rate in group.rates.items()]
    fig = go.Figure()
    for position, (_, rate) in enumerate(lines):
        if rate is None or rate.rate is None or rate.interval is None or rate.votes < FEWEST_VOTES:
            continue
        share, interval = rate.rate, rate.interval
        fig.add_scatter(
            x=[share],
            y=[position],
            error_x={"array": [interval.high - share], "arrayminus": [share - interval.low], "thickness": 2},
            marker={"size": 10, "color": DISTILLED_COLOUR},
            hovertemplate=f"{percent(share)} ({between(interval)}), {rate.votes} votes<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        )
    fig.add_vline(x=0.5, line={"color": BASE_COLOUR, "dash": "dot", "width": 1})
    fig.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], tickangle=0)
    fig.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[name for name, _ in lines],
        range=[len(lines) - 0.4, -0.6],
        showgrid=False,
    )
    fig.update_layout(title_text="Win rate of the distilled model", height=max(HEIGHT, 100 + 26 * len(lines)))
    return figure_layout(fig)


def time_figure(days: Sequence[Day]) -> go.Figure:
    """Votes per day, and below them the win rate of all votes up to that day with its 95 % interval, once there are
    enough."""
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.4, 0.6], vertical_spacing=0.12)
    when = [day.day for day in days]
    counted = [day for day in days if day.so_far.votes >= FEWEST_VOTES]
    since = [day.day for day in counted]
    bounds = [day.so_far.interval or Interval(0, 1) for day in counted]
    counts = [day.votes for day in days]
    fig.add_bar(x=when, y=counts, width=0.6 * _DAY, marker_color=BASE_COLOUR, name="votes", row=1, col=1)
    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "row": 2, "col": 1}
    fig.add_scatter(x=since, y=[bound.low for bound in bounds], **band)
    fig.add_scatter(x=since, y=[bound.high for bound in bounds], fill="tonexty", fillcolor=_BAND, **band)
    fig.add_scatter(
        x=since,
        y=[day.so_far.rate for day in counted],
        mode="lines+markers",
        line={"color": DISTILLED_COLOUR},
        name="win rate so far",
        cliponaxis=False,
        row=2,
        col=1,
    )
    fig.update_yaxes(
        title_text="Votes", rangemode="tozero", dtick=1 if max(counts, default=0) < 5 else None, row=1, col=1
    )
    fig.update_yaxes(title_text="Win rate so far", range=[0, 1], tickformat=".0%", row=2, col=1)
    if when:
        # At least a week, so that the first day's bar does not fill the figure.
        first = min(when[0], when[-1] - timedelta(days=6))
        edges = [datetime.combine(first, time()) - _HALF_DAY, datetime.combine(when[-1], time()) + _HALF_DAY]
        fig.update_xaxes(range=edges)
    fig.update_xaxes(tickformat="%-d %b", nticks=5, tickangle=0)
    fig.update_layout(title_text="Blind votes on the answers, by day", height=HEIGHT, showlegend=False)
    return figure_layout(fig)


def enough(groups: Iterable[Group]) -> bool:
    """Whether there is a group with a win rate to show."""
    return any(rate.votes >= FEWEST_VOTES for group in groups for rate in group.rates.values())


def _table_row(name: str, rate: WinRate) -> tuple[str, ...]:
    counts = (rate.votes, rate.wins, rate.losses, rate.ties, rate.both_bad)
    shares = (percent(rate.rate), between(rate.interval)) if rate.votes >= FEWEST_VOTES else (percent(None), "")
    return name, *map(str, counts), *shares


def _outcome(battle: SharedBattle) -> str:
    """The last vote; with the model's name only if the names were revealed."""
    verdict = battle.verdicts.get("reasoning") or battle.verdicts.get("answers")
    if verdict is None:
        return "taken back"
    if battle.reveal is None or verdict not in ("a", "b"):
        return VERDICTS[verdict]
    side = battle.reveal.a if verdict == "a" else battle.reveal.b
    return f"{side.role.capitalize()} is better"


def _minute(iso: str) -> Markup:
    at = f"{datetime.fromisoformat(iso):%d %b %H:%M}"
    return render('<time datetime="{{ iso }}">{{ at }}</time>', iso=iso, at=at)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUESTION_CHARACTERS else f"{line[: QUESTION_CHARACTERS - 1]}…"
