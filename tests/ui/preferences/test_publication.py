"""What the Preferences tab gives to whom: words of those who agreed, everything to the owner, nothing taken down."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pyarrow.parquet as pq
import pytest

from common.errors import ConfigError
from tests.ui.preferences.test_preferences import past, refresh, services, vote
from ui.preferences.analysis import public_questions, readable_votes
from ui.preferences.tab import FILES, read_ballots, recent_battles, write_file
from ui.preferences.takedown import build_takedown
from votes.agreement import LICENCE

__all__ = ["services"]


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public Space with an owner's key."""
    monkeypatch.setenv("SPACE_ID", "me/space")
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "s3cret")
    monkeypatch.delenv("JOURNEY_OWNER", raising=False)


@pytest.fixture
def battles(services: Any) -> tuple[str, str]:
    """One battle whose visitor agreed to publication, and one whose visitor did not."""
    past(services)
    agreed = vote(services, "distilled", prompt="An open question", licence=LICENCE)
    return agreed, vote(services, "distilled", prompt="A private question")


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("name", FILES)
def test_files_have_the_words_of_those_who_agreed(
    services: Any, battles: tuple[str, str], tmp_path: Path, name: str
) -> None:
    visitors = write_file(services, name, tmp_path).read_bytes()
    if name.endswith(".parquet"):
        rows = pq.read_table(tmp_path / name).to_pylist()
        assert [bool(json.loads(row["turns"])) for row in rows] == [True, False]
    elif name.endswith(".csv"):
        assert b"An open question" in visitors and b"A private question" not in visitors
        assert b"battle-1" in visitors and b"battle-2" in visitors, "counts can be computed from the file"
    else:
        assert [json.loads(line)["battle_id"] for line in visitors.splitlines()] == ["battle-1"]
    ids = {name for row in services.store.votes() for name in (row.battle_id, row.row_id, row.visitor)}
    assert not [name for name in ids - {"visitor"} if name.encode() in visitors], "an id opens a battle for anyone"


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("again", [False, True])
def test_a_vote_that_was_taken_back_publishes_nothing(services: Any, tmp_path: Path, again: bool) -> None:
    past(services)
    desk = services.desk
    battle = vote(services, "distilled", prompt="Does Jane Doe owe tax?", licence=LICENCE)
    desk.undo(battle, "visitor")
    if again:
        desk.cast(battle, "visitor", "answers", "tie")
        desk.reveal(battle, "visitor")
    else:
        desk.forfeit(battle, "visitor")
    for name in FILES:
        assert b"Jane Doe" not in write_file(services, name, tmp_path).read_bytes()
    votes = readable_votes(services)
    assert len(votes) == 2 + again and public_questions(votes) == {}
    assert recent_battles(services, read_ballots(services)[0]) == []


@pytest.mark.usefixtures("public")
def test_of_two_votes_on_a_battle_one_agreement_will_do(services: Any) -> None:
    past(services)
    battle = vote(services, "distilled", prompt="An open question", licence=LICENCE)
    services.desk.cast(battle, "visitor", "reasoning", "tie")
    assert public_questions(readable_votes(services)) == {battle: "An open question"}


@pytest.mark.usefixtures("public", "battles")
@pytest.mark.parametrize("name", ["votes.csv", "preferences.jsonl", "preferences-with-reasoning.jsonl"])
def test_the_owner_has_them_all(services: Any, tmp_path: Path, name: str) -> None:
    assert b"A private question" in write_file(services, name, tmp_path, "s3cret").read_bytes()
    with pytest.raises(ConfigError, match="Only the owner"):
        write_file(services, name, tmp_path, "wrong")


@pytest.mark.usefixtures("battles")
def test_on_ones_own_machine_everybody_is_the_owner(
    services: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("JOURNEY_OWNER_KEY", raising=False)
    assert b"A private question" in write_file(services, "votes.csv", tmp_path).read_bytes()
    assert len(recent_battles(services, read_ballots(services)[0])) == 2


@pytest.mark.usefixtures("public")
def test_only_agreed_battles_are_listed_and_all_are_counted(services: Any, battles: tuple[str, str]) -> None:
    ballots, _ = read_ballots(services)
    assert len(ballots) == 2
    assert [battle.battle_id for battle in recent_battles(services, ballots)] == [battles[0]]


def test_votes_on_blocked_answers_are_told_and_not_counted(services: Any) -> None:
    past(services)
    vote(services, "distilled")
    desk = services.desk
    battle = desk.open("visitor", pair="pair")
    from tests.votes.helpers import make_replies

    replies = make_replies(finish_reason="blocked")
    desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "Anything?"), replies)
    desk.cast(battle, "visitor", "answers", "tie")
    shown = [str(value) for value in refresh(services).values()]
    assert any("One vote is on a battle with an answer that the guard model blocked" in value for value in shown)
    assert any("1 blind vote on the answers alone" in value for value in shown), "the other vote is not counted"


def test_the_page_says_where_votes_are_kept(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert not any("disk only" in str(value) for value in refresh(services).values())
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert any("disk only" in str(value) for value in refresh(services).values())
    services.keeper = SimpleNamespace(sentence="Votes are copied every 5 minutes.")
    shown = [str(value) for value in refresh(services).values()]
    assert any("copied every 5 minutes" in value for value in shown) and not any("disk only" in v for v in shown)


@pytest.fixture
def press(services: Any) -> Callable[..., str]:
    """Presses one of the two buttons with a battle, a reason and a key."""
    with gr.Blocks() as page:
        build_takedown(services)
    buttons = {block.value: block._id for block in page.blocks.values() if isinstance(block, gr.Button)}

    def press(label: str, *given: str) -> str:
        [event] = [fn for fn in page.fns.values() if fn.targets == [(buttons[label], "click")]]
        assert event.fn is not None
        return str(event.fn(*given))

    return press


def test_the_owner_takes_a_battle_down_and_puts_it_back(
    services: Any, battles: tuple[str, str], press: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("JOURNEY_OWNER_KEY", raising=False)
    agreed, other = battles
    said = press("Take it down", f"http://page/?battle={agreed}", "a name", "")
    assert said == f"Battle {agreed} is taken down."
    ballots, _ = read_ballots(services)
    assert [ballot.battle_id for ballot in ballots] == [other]
    assert [battle.battle_id for battle in recent_battles(services, ballots)] == [other]
    for name in FILES:
        content = write_file(services, name, tmp_path).read_bytes()
        assert agreed.encode() not in content and b"An open question" not in content
    assert press("Put it back", agreed, "", "") == f"Battle {agreed} is shown again."
    assert len(read_ballots(services)[0]) == 2


@pytest.mark.usefixtures("public")
def test_nobody_else_does(services: Any, battles: tuple[str, str], press: Callable[..., str]) -> None:
    for key in ("", "wrong"):
        with pytest.raises(gr.Error, match="Only the owner"):
            press("Take it down", battles[0], "", key)
    assert len(read_ballots(services)[0]) == 2
    press("Take it down", battles[0], "", "s3cret")
    assert len(read_ballots(services)[0]) == 1


@pytest.mark.parametrize("given", ["", "no battle", None])
def test_what_is_no_battle_is_explained(press: Callable[..., str], monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("JOURNEY_OWNER_KEY", raising=False)
    with pytest.raises(gr.Error, match="There is no battle"):
        press("Take it down", given, None, None)
