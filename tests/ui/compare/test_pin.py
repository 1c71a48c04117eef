"""A battle becomes a case from the Compare tab: only once its names are known, and the desk has the last word."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from battles.battle import Battle, Phase
from models.config.registry import load_config
from models.serving.status import Status
from tests.votes.helpers import FREE, make_replies
from traces.cases.cases import own_cases, runs_of
from ui.compare.handlers import pin_handler
from ui.compare.screen import Renderer
from ui.compare.view import pinned_sentence
from votes.ballot import Mode
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    store = Store(tmp_path / "votes.duckdb")
    served = SimpleNamespace(pair=load_config().pairs["smol-135m"], status=lambda role: Status("ready"))
    yield SimpleNamespace(desk=Desk(store, limits=Limits(rates=FREE)), served=served, guard=None)
    store.close()


@pytest.mark.parametrize(
    ("mode", "phase", "named", "offered"),
    [
        ("blind", "answers", False, False),
        ("blind", "reasoning", False, False),
        ("blind", "voted", False, False),
        ("blind", "revealed", True, True),
        ("blind", "shared", False, False),
        ("blind", "shared", True, True),
        ("named", "open", True, False),
        ("named", "running", True, False),
        ("named", "failed", True, False),
        ("named", "answers", True, True),
        ("named", "voted", True, True),
    ],
)
def test_the_control_waits_until_names_are_known(
    services: Any, mode: Mode, phase: Phase, named: bool, offered: bool
) -> None:
    battle = Battle("id", mode, phase=phase, roles={"a": "base", "b": "distilled"} if named else {})
    shown = Renderer(services).whole(battle)
    assert shown["pin.box"]["visible"] is offered
    assert shown["pin.said"] == ""


def finished(desk: Desk, **options: Any) -> str:
    battle = desk.open("visitor", pair="smol-135m", **options)
    desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "What is 2 + 2?"), make_replies())
    return battle


def test_a_blind_battle_is_pinned_after_the_reveal_and_not_before(services: Any) -> None:
    desk, pin = services.desk, pin_handler(services)
    battle = finished(desk)
    forged = Battle(battle, roles={"a": "base", "b": "distilled"}, phase="revealed")
    with pytest.raises(gr.Error, match="still hidden"):
        pin(forged, "early", "")
    desk.cast(battle, "visitor", "answers", "a")
    with pytest.raises(gr.Error, match="still hidden"):
        pin(forged, "early", "")
    assert own_cases() == ()
    desk.reveal(battle, "visitor")
    said = pin(forged, "worth reading", "")
    (case,) = own_cases()
    assert said == pinned_sentence(f"?case={case.key}")
    assert (case.question, case.note, case.origin) == ("What is 2 + 2?", "worth reading", f"battle {battle}")
    assert set(runs_of(case.key)[0].sides) == {"base", "distilled"}


def test_a_named_battle_is_pinned_at_once_and_an_unknown_one_never(services: Any) -> None:
    pin = pin_handler(services)
    assert "open the case" in pin(Battle(finished(services.desk, mode="named"), "named"), "", "")
    with pytest.raises(gr.Error, match="not known"):
        pin(Battle(), "", "")
    assert len(own_cases()) == 1


def test_where_there_is_an_owner_only_the_owner_pins(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "secret")
    battle = Battle(finished(services.desk, mode="named"), "named")
    with pytest.raises(gr.Error, match="owner"):
        pin_handler(services)(battle, "", "guess")
    assert "open the case" in pin_handler(services)(battle, "", "secret")
