"""A battle that was taken down is in no link, list, count or file, also after a restart; and it can be put back."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.votes.helpers import Clock, make_replies, play
from tests.votes.test_store import ROOT, start_holder
from votes.casting.desk import Desk
from votes.errors import TextRefused, UnknownBattle
from votes.store import Store
from votes.takedown import battle_id_of, set_hidden


@pytest.fixture
def battle(desk: Desk) -> str:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    return battle


def test_nothing_of_it_is_seen(store: Store, desk: Desk, battle: str) -> None:
    other = play(desk)
    desk.cast(other, "visitor", "answers", "b")
    set_hidden(store, battle, "a name")
    for step in (
        lambda: desk.load_battle(battle),
        lambda: desk.mine(battle, "visitor"),
        lambda: desk.cast(battle, "visitor", "reasoning", "a"),
        lambda: desk.undo(battle, "visitor"),
        lambda: desk.reveal(battle, "visitor"),
        lambda: desk.begin_turn(battle, "visitor", "And now?"),
    ):
        with pytest.raises(UnknownBattle, match="taken down"):
            step()
    assert [ballot.battle_id for ballot in store.ballots()] == [other]
    assert [vote.battle_id for vote in store.votes()] == [other]
    assert store.votes_of(battle)  # nothing is deleted


def test_it_stays_hidden_after_a_restart_and_can_be_put_back(
    store: Store, make_desk: Callable[..., Desk], battle: str
) -> None:
    set_hidden(store, battle, "a name")
    store.close()
    again = Store(store.path)
    desk = Desk(again, clock=Clock())
    with pytest.raises(UnknownBattle):
        desk.load_battle(battle)
    set_hidden(again, battle, "it was the name of a poem", hidden=False)
    assert desk.load_battle(battle).verdicts == {"answers": "a"}
    assert len(again.ballots()) == 1
    set_hidden(again, battle, "", clock=lambda: 0.0)  # a clock that runs behind
    with pytest.raises(UnknownBattle):
        desk.load_battle(battle)
    assert [row.reason for row in sorted(again.hidden_of(battle), key=lambda row: row.hidden_at)] == [
        "a name",
        "it was the name of a poem",
        "",
    ]
    again.close()


def test_a_conversation_that_went_on_from_it_goes_with_it(
    store: Store, make_desk: Callable[..., Desk], desk: Desk, battle: str
) -> None:
    desk.reveal(battle, "visitor")
    in_memory, stored, drawn_again = (desk.go_on(battle, "visitor") for _ in range(3))
    desk.finish_turn(stored, desk.begin_turn(stored, "visitor", "And 3 + 3?"), make_replies())
    desk.finish_turn(drawn_again, desk.reopen_turn(drawn_again, "visitor"), make_replies("another answer"))
    went_on = (in_memory, stored, drawn_again)
    assert all(desk.load_battle(each).turns for each in went_on)
    set_hidden(store, battle, "a name")
    for page, battles in ((desk, went_on), (make_desk(), went_on[1:])):
        for each in battles:
            with pytest.raises(UnknownBattle, match="taken down"):
                page.load_battle(each)
            with pytest.raises(UnknownBattle, match="taken down"):
                page.begin_turn(each, "visitor", "And 4 + 4?")
    set_hidden(store, battle, "", hidden=False)
    assert all(desk.load_battle(each).turns for each in went_on)


@pytest.mark.parametrize("other", ["visitor", "pair", "question"])
def test_conversations_that_began_elsewhere_stay(store: Store, desk: Desk, battle: str, other: str) -> None:
    visitor = "somebody else" if other == "visitor" else "visitor"
    elsewhere = desk.open(visitor, pair="another" if other == "pair" else "pair")
    question = "What is 5 + 5?" if other == "question" else "What is 2 + 2?"
    desk.finish_turn(elsewhere, desk.begin_turn(elsewhere, visitor, question), make_replies())
    desk.forfeit(elsewhere, visitor)
    went_on = desk.go_on(elsewhere, visitor)
    set_hidden(store, battle, "a name")
    assert desk.load_battle(went_on) and desk.load_battle(elsewhere)


def test_a_turn_that_was_running_ends_without_an_error(store: Store, desk: Desk) -> None:
    battle = play(desk)
    turn = desk.begin_turn(battle, "visitor", "And 3 + 3?")
    set_hidden(store, battle, "")
    desk.abandon_turn(battle, turn)
    assert not desk.finish_turn(battle, turn, make_replies())
    with pytest.raises(UnknownBattle):
        desk.mine(battle, "visitor")


def test_while_another_program_holds_the_database_it_is_kept_in_a_journal(
    tmp_path: Path, desk: Desk, store: Store, battle: str
) -> None:
    store.close()
    page = start_holder(store.path)
    command = Store(store.path)
    assert command.notice
    set_hidden(command, battle, "a name")
    assert command.is_hidden(battle)
    command.close()
    page.communicate("")
    assert Store(store.path).hidden() == {battle}


HIDING = """
import sys
from pathlib import Path
from votes.store import Store
from votes.takedown import set_hidden
store = Store(Path(sys.argv[1]))
assert store.notice
set_hidden(store, sys.argv[2], "a name")
"""


def test_a_page_that_runs_takes_in_what_a_command_left(tmp_path: Path) -> None:
    now = [0.0]
    page = Store(tmp_path / "votes.duckdb", clock=lambda: now[0])
    desk = Desk(page, clock=Clock())
    battle = play(desk)
    assert desk.load_battle(battle)
    code = (
        "import sys; from pathlib import Path; from votes.store import Store; from votes.takedown import set_hidden; "
    )
    code += "store = Store(Path(sys.argv[1])); assert store.notice; set_hidden(store, sys.argv[2], 'a name')"
    subprocess.run([sys.executable, "-c", code, page.path, battle], cwd=ROOT, check=True, timeout=120)
    assert list(tmp_path.glob("votes.journal-*.jsonl"))
    assert desk.load_battle(battle)  # not looked at all the time
    now[0] += 31
    with pytest.raises(UnknownBattle):
        desk.load_battle(battle)
    assert [path.suffix for path in tmp_path.glob("votes.journal-*")] == [".replayed"]
    page.close()


@pytest.mark.parametrize("unknown", ["", "nothing", "0" * 32, "x" * 1000])
def test_what_is_no_battle_is_not_hidden(store: Store, unknown: str) -> None:
    with pytest.raises(UnknownBattle, match="no battle"):
        set_hidden(store, unknown, "")
    assert store.hidden() == set()


@pytest.mark.parametrize("reason", ["x" * 501, "\x00", None])
def test_a_reason_is_plain_text(store: Store, battle: str, reason: str) -> None:
    with pytest.raises(TextRefused):
        set_hidden(store, battle, reason)


@pytest.mark.parametrize(
    "given", ["abc", " abc\n", "?battle=abc", "https://x.hf.space/?battle=abc", "https://x/?battle=abc&tab=compare"]
)
def test_a_link_will_do(given: str) -> None:
    assert battle_id_of(given) == "abc"
