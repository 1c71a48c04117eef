"""The buttons that draw a question: from what the votes tell, for this visitor, worked out once a minute."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from battles.offers import Offers
from insights.offers import Candidate
from insights.truth import find_problem, index_problems
from tests.votes.helpers import FREE, make_replies, play
from ui.compare import offers as module
from ui.compare.offers import Drawer, build_offers
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    store = Store(tmp_path / "votes.duckdb")
    desk = Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))
    yield SimpleNamespace(store=store, desk=desk, visitor=lambda request: "visitor")
    store.close()


def test_a_drawn_problem_is_one_whose_answer_is_known(services: Any) -> None:
    drawer = Drawer(services)
    known = index_problems(module.known_benchmarks())
    for _ in range(10):
        offer = drawer.draw(only_problems=True)
        assert find_problem(offer.question, known) and offer.width == 1.0 and offer.kind.split(", ")[1]


def test_a_vote_on_a_kind_makes_the_others_come_first(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_KEPT", 0.0)
    monkeypatch.setattr(module, "known_benchmarks", list)
    sums, plans = Candidate("sums", "What is 2 + 2?"), Candidate("plans", "Plan a walk.")
    drawer = Drawer(services, [sums, plans])
    battle = services.desk.open("visitor", pair="pair")
    turn = services.desk.begin_turn(battle, "visitor", sums.question)
    services.desk.finish_turn(battle, turn, make_replies())
    assert {drawer.draw(only_problems=False).kind for _ in range(30)} == {"sums", "plans"}
    services.desk.cast(battle, "visitor", "answers", "a")
    offers = [drawer.draw(only_problems=False) for _ in range(10)]
    assert {offer.kind for offer in offers} == {"plans"}


def test_votes_are_not_read_again_for_every_press(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawer, reads = Drawer(services), []
    votes = services.store.votes
    monkeypatch.setattr(services.store, "votes", lambda: reads.append(1) or votes())
    for _ in range(3):
        drawer.draw(only_problems=True)
        services.desk.cast(play(services.desk), "visitor", "answers", "a")
    assert len(reads) == 1


def test_the_button_fills_the_field_and_the_draw_is_remembered(services: Any) -> None:
    offers = Offers()
    with gr.Blocks() as app:
        build_offers(services, offers, gr.Textbox())
    handlers = {function.name: function.fn for function in app.fns.values()}
    question = handlers["a_problem"](None)
    recorded = offers.recorded("visitor", question)["prompt"]
    assert set(recorded) == {"kind", "policy", "seed", "width", "votes"} and recorded["policy"] == "widest interval"
    assert handlers["any_question"](None)
