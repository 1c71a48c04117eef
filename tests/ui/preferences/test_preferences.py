"""The Preferences tab: what its views say, what its files hold, and that it works through the raw API."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pyarrow.parquet as pq
import pytest

from tests.votes.helpers import FREE, Clock, make_replies
from ui.preferences.tab import FILES, build_preferences_tab, read_ballots, recent_battles, write_file
from ui.preferences.view import (
    enough,
    percent,
    recent_html,
    summarise_votes,
    table_html,
    tiles_html,
    time_figure,
    win_rate_figure,
)
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.ranking import WinRate
from votes.store import Store


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Any]:
    store = Store(tmp_path / "votes.duckdb")
    yield SimpleNamespace(store=store, desk=Desk(store, limits=Limits(rates=FREE), clock=Clock()), keeper=None)
    store.close()


def vote(
    services: Any,
    winner: str,
    *,
    prompt: str = "What is 2 + 2?",
    stage: str = "answers",
    licence: str = "",
    **options: Any,
) -> str:
    """One battle with one vote, long ago; `winner` is a role or a verdict."""
    desk = services.desk
    battle = desk.open("visitor", pair=options.pop("pair", "pair"), **options)
    desk.finish_turn(battle, desk.begin_turn(battle, "visitor", prompt), make_replies())
    sides = {desk.role_of(battle, side): side for side in ("a", "b")}
    desk.cast(battle, "visitor", "answers", sides.get(winner, winner), licence=licence)
    if stage == "reasoning":
        desk.cast(battle, "visitor", "reasoning", "tie")
    return str(battle)


def past(services: Any) -> None:
    """Let the desk's votes be older than the real clock's undo time."""
    services.desk._clock.now = 1_600_000_000.0


def test_a_first_vote_given_again_after_the_reasoning_is_not_blind(services: Any) -> None:
    past(services)
    battle = vote(services, "base")
    services.desk.undo(battle, "visitor")
    services.desk.cast(battle, "visitor", "answers", "tie")
    votes, _ = read_ballots(services)
    summary = summarise_votes(votes)
    assert (summary.votes, summary.headline.votes) == (1, 0)


def test_the_headline_counts_blind_votes_on_the_answers(services: Any) -> None:
    past(services)
    for winner in ("distilled", "distilled", "base", "both_bad"):
        vote(services, winner, stage="reasoning")
    vote(services, "base", mode="named")
    votes, pending = read_ballots(services)
    summary = summarise_votes(votes)
    assert (summary.votes, pending) == (9, 0)
    assert summary.headline == WinRate(wins=2, losses=1, ties=0, both_bad=1)
    assert [(g.heading, list(g.rates)) for g in summary.groups] == [
        ("By stage", ["Answers alone", "With the reasoning"]),
        ("By mode", ["Blind", "Named"]),
        ("By delivery", ["Together"]),
        ("By prompt language", ["English"]),
    ]
    assert "4 blind votes" in tiles_html(summary) and "%" not in tiles_html(summary), "too few for a share"
    more = summary._replace(headline=WinRate(wins=6, losses=3, ties=0, both_bad=1))
    assert "<strong>65 %</strong>" in tiles_html(more) and percent(0.625) == "62 %"
    assert "10 of them blind and on the answers alone, by 1 visitor<" in tiles_html(more)
    assert "by 1,200 visitors<" in tiles_html(more._replace(visitors=1200))
    assert "<td>Named</td><td>1</td><td>0</td><td>1</td>" in table_html(summary.groups)


def test_the_figures_hold_every_group_and_day(services: Any) -> None:
    past(services)
    vote(services, "distilled")
    services.desk._clock.now += 2 * 86400
    vote(services, "base", prompt="长江有多长?")
    summary = summarise_votes(read_ballots(services)[0])
    assert not enough(summary.groups) and not win_rate_figure(summary.groups).data, "no share of one vote"
    lines = [trace for trace in time_figure(summary.days).data if trace.type == "scatter"]
    assert [list(line.y or ()) for line in lines] == [[], [], []]
    bars = next(trace for trace in time_figure(summary.days).data if trace.type == "bar")
    assert list(bars.y) == [1, 1]
    assert summarise_votes([]).groups == [] and time_figure([]).data is not None


def test_a_share_is_drawn_from_the_tenth_vote_on(services: Any) -> None:
    past(services)
    for _ in range(9):
        vote(services, "distilled")
    services.desk._clock.now += 86400
    vote(services, "base")
    summary = summarise_votes(read_ballots(services)[0])
    assert enough(summary.groups)
    rates = win_rate_figure(summary.groups)
    assert len(rates.data) == sum(len(group.rates) for group in summary.groups)
    line = time_figure(summary.days).data[-1]
    assert list(line.y) == [0.9] and len(line.x) == 1


def test_recent_battles_are_escaped_and_keep_hidden_names(services: Any) -> None:
    past(services)
    hidden = vote(services, "distilled", prompt="<script>alert(1)</script>")
    services.desk._clock.now += 1
    open_ = vote(services, "distilled")
    services.desk.reveal(open_, "visitor")
    page = recent_html(recent_battles(services, read_ballots(services)[0]))
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert page.index(f"?battle={open_}") < page.index(f"?battle={hidden}")
    assert page.count("Distilled is better") == 1 and " is better" in page


def test_votes_that_can_be_undone_are_not_counted_yet(services: Any) -> None:
    services.desk._clock.now = 4_000_000_000.0
    battle = vote(services, "a")
    assert read_ballots(services) == ([], 1)
    services.desk.reveal(battle, "visitor")
    assert len(read_ballots(services)[0]) == 1


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_written(services: Any, tmp_path: Path, name: str) -> None:
    past(services)
    vote(services, "distilled")
    path = write_file(services, name, tmp_path)
    assert path.name == name and path.stat().st_size > 0
    if name.endswith(".parquet"):
        assert pq.read_table(path).num_rows == len(services.store.ballots())


def refresh(services: Any) -> dict[Any, Any]:
    """What the handler of Refresh returns, by the label or kind of its component."""
    with gr.Blocks() as page, gr.Tab("Preferences"):
        build_preferences_tab(services)
    handler = next(fn for fn in page.fns.values() if fn.name == "show")
    assert {trigger for _, trigger in handler.targets} == {"click", "input", "select"}
    assert handler.fn is not None
    return {type(block).__name__ + str(block._id): value for block, value in handler.fn(None).items()}


def test_the_empty_tab_invites(services: Any) -> None:
    [notice] = [value for value in refresh(services).values() if isinstance(value, dict) and value.get("value")]
    assert "No votes yet" in notice["value"]


def test_the_tab_fills_and_offers_pairs_only_when_there_are_several(services: Any) -> None:
    past(services)
    first = vote(services, "distilled")
    one = refresh(services)
    assert any("1 blind vote on the answers alone" in value for value in one.values() if isinstance(value, str))
    others = [vote(services, "base", pair="second") for _ in range(2)]
    two = refresh(services)
    [pairs] = [value for value in two.values() if isinstance(value, dict) and "choices" in value]
    [recent] = [value for value in two.values() if "?battle=" in str(value)]
    assert all(battle in recent for battle in others) and first not in recent
    assert pairs["visible"] is True and pairs["value"] == "second"
    assert next(value for value in one.values() if isinstance(value, dict) and "choices" in value)["visible"] is False


def test_trouble_of_the_store_is_told(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.store, "_trouble", "The vote database is in use by another program.")
    assert any("in use" in str(value) for value in refresh(services).values())


def test_download_buttons_write_their_own_file(services: Any) -> None:
    past(services)
    vote(services, "distilled")
    with gr.Blocks() as page, gr.Tab("Preferences"):
        build_preferences_tab(services)
    buttons = [fn for fn in page.fns.values() if fn.name == "make"]
    assert [Path(button.fn()).name for button in buttons if button.fn] == list(FILES)
