"""A page is sent what has changed, and nothing else; what it was sent adds up to what is so."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from battles.battle import SIDES, Battle, begin, fail, receive, settle
from battles.live import LiveTurns
from battles.turns import Progress, Turns
from models.chat.events import Reply
from models.config.registry import load_config
from models.serving.status import Status
from ui.compare.handlers import ask_handler, beside_own, copy_handler, open_handler, own_battle, restart_handler
from ui.compare.news import HTML_WIDGETS, MARKDOWN_WIDGETS, News, Sent, added, chat_messages, line, news
from ui.compare.screen import Renderer
from ui.compare.tab import build_widgets
from ui.kit.sampling import SamplingLimits
from votes.ballot import Delivery, Side
from votes.casting.views import SharedBattle
from votes.errors import UnknownBattle

TURNS = Turns(None, None, LiveTurns())  # type: ignore[arg-type]
SETTINGS = (1024, 0, 0.0, 1.0, -1)
VISITED: Any = SimpleNamespace(visitor=lambda request: "visitor")


@pytest.fixture
def show() -> Renderer:
    served = SimpleNamespace(pair=load_config().pairs["smol-135m"], status=lambda role: Status("ready"))
    return Renderer(SimpleNamespace(served=served, guard=None))  # type: ignore[arg-type]


def told(show: Renderer, shown: Battle | None, steps: list[tuple[Battle, float]]) -> list[News]:
    """What a page that shows this battle is sent, as it arrives there."""
    sent = Sent(show, shown)
    each = [sent.next(Progress(battle, seconds)) for battle, seconds in steps]
    return [json.loads(line(news).split(b"data: ")[1]) for news in each if news]


def received(page: dict[str, Any], each: list[News]) -> dict[str, Any]:
    """The page after it has taken in the news, as ui/news.js does."""
    for told in each:
        page |= told.get("show", {})
        for panel, removed, text in told.get("add", ()):
            units = page[panel][-1]["content"][0]["text"].encode("utf-16-le")
            kept = units[: len(units) - 2 * removed].decode("utf-16-le")
            page[panel][-1]["content"][0]["text"] = kept + text
    return page


def whole(show: Renderer, battle: Battle) -> dict[str, Any]:
    """All that a page shows of the battle, as it arrives there."""
    values: dict[str, Any] = json.loads(json.dumps(news(show.whole(battle))["show"]))
    return values


def running(delivery: Delivery) -> Battle:
    return begin(Battle("id", delivery=delivery), "What is 2 + 2?")


def writing(battle: Battle, **answers: str) -> Battle:
    known = dict(battle.turns[-1].replies)
    replies = {side: Reply(answer=answers[side]) for side in SIDES if side in answers}
    return receive(battle, {**known, **replies}, battle.running)


def test_a_panel_is_sent_only_when_its_own_reply_grows_and_then_only_the_text_added(show: Renderer) -> None:
    start = running("live")
    first = writing(start, a="4")
    second = writing(first, a="4 is it", b="It is")
    third = writing(second, b="It is 4")
    steps = [(start, 0.0), (first, 0.1), (second, 0.2), (third, 0.3), (third, 0.3)]
    _, one, two, three, *rest = told(show, start, steps)
    assert "panels-a" in one["show"] and "panels-b" not in one["show"]
    assert two["add"] == [["panels-a", 0, " is it"]] and "panels-b" in two["show"]
    assert three == {"add": [["panels-b", 0, " 4"]]}
    assert rest == [], "nothing new, nothing sent"


def test_while_both_are_awaited_only_the_seconds_move(show: Renderer) -> None:
    start = running("together")
    each = told(show, start, [(start, 0.0), (start, 1.0), (start, 2.0), (start, 2.1)])
    assert [set(news["show"]) for news in each] == [{"progress"}] * 3


def test_the_end_of_a_turn_sends_the_ballot_but_not_what_stays(show: Renderer) -> None:
    start = running("together")
    done = settle(writing(start, a="4", b="It is 4."))
    _, last = told(show, start, [(start, 0.0), (done, 0.0)])
    assert {"ballot.group", "panels-a", "panels-b", "progress"} <= set(last["show"])
    assert not {"arena", "new", "heads-a", "ballot.comment"} & set(last["show"])


def test_a_page_that_was_cut_off_is_sent_everything(show: Renderer) -> None:
    done = settle(writing(running("live"), a="4", b="It is 4."))
    [all_of_it] = told(show, None, [(done, 0.0)])
    assert all_of_it["show"] == whole(show, done)


@pytest.mark.parametrize("delivery", ["live", "together"])
@pytest.mark.parametrize(
    "words", [["4", "4.", "4. **So"], ["𝒙 is", "𝒙 is 𝒚", "𝒙 is *4*"], ["```\na", "```\na\n```", "`"]]
)
def test_what_is_sent_adds_up_to_the_whole(show: Renderer, delivery: Delivery, words: list[str]) -> None:
    start = running(delivery)
    steps = [start]
    for text in words:
        steps.append(writing(steps[-1], a=text, b=text[:1]))
    for end in (settle(steps[-1]), fail(steps[-1])):
        page = received(whole(show, start), told(show, start, [(step, 0.0) for step in (*steps, end)]))
        assert page == whole(show, end)


def test_nothing_is_added_to_a_message_of_another_kind() -> None:
    before = [{"role": "user", "content": "a"}]
    assert added("p", before, [{"role": "assistant", "content": "ab"}]) is None
    assert added("p", before, [*before, {"role": "assistant", "content": "ab"}]) is None
    assert added("p", None, before) is None
    assert added("p", before, [{"role": "user", "content": "b"}]) == ("p", 1, "b")


def test_messages_are_as_gradio_itself_would_send_them() -> None:
    messages = [
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": "hm", "metadata": {"title": "Thinking …", "status": "pending"}},
    ]
    assert gr.Chatbot().postprocess(messages).model_dump() == chat_messages(messages)  # type: ignore[arg-type]


def test_news_that_is_handed_on_twice_has_the_same_number() -> None:
    assert news()["number"] != news()["number"]


async def test_after_a_vote_the_next_battle_clears_the_ballot(show: Renderer) -> None:
    voted = replace(settle(writing(running("together"), a="4", b="4")), phase="voted")
    turns: Any = SimpleNamespace(
        current=lambda battle, *_: battle, start=lambda *_: replace(running("together"), id="next")
    )
    ask = ask_handler(VISITED, turns, show, SamplingLimits(4096, 4096))
    answer = await ask(voted, voted.id, "And?", "blind", False, None, *SETTINGS, False, *SETTINGS)
    assert answer.battle.id == answer.news["follow"] == "next"
    assert answer.news["show"]["ballot.comment"] == "" and answer.news["show"]["ballot.stage"] == "answers"


@pytest.mark.parametrize("shown", ["revealed", "somebody's"])
async def test_a_page_whose_session_was_lost_is_sent_the_whole_next_battle(show: Renderer, shown: str) -> None:
    """It may show names above its panels, which are wrong for the sides of the next battle."""
    found = replace(settle(running("together")), id="revealed", phase="revealed") if shown == "revealed" else Battle()
    turns: Any = SimpleNamespace(current=lambda *_: found, start=lambda *_: replace(running("together"), id="next"))
    ask = ask_handler(VISITED, turns, show, SamplingLimits(4096, 4096))
    answer = await ask(Battle(), shown, "And?", "blind", False, None, *SETTINGS, False, *SETTINGS)
    update = answer.news["show"]
    assert {"heads-a", "heads-b", "ballot.next", "ballot.go_on", "look", "pin.box", "arena"} <= set(update)
    assert "Base" not in update["heads-a"] and update["shown"] == update["held"] == "next"


async def test_a_page_that_shows_an_ended_battle_begins_anew_without_its_session(show: Renderer) -> None:
    restart = restart_handler(VISITED, TURNS, show)
    for shown, kept in (("", {"delivery"}), ("revealed", {"delivery", "arena", "heads-a", "ballot.next", "shown"})):
        answer = await restart(Battle(), shown, "blind", None)
        assert kept <= set(answer.news["show"]) and ("arena" in answer.news["show"]) == bool(shown)


def copied(battle: Battle, side: Side) -> str:
    return copy_handler(VISITED, TURNS, side)(battle, battle.id, None)  # type: ignore[arg-type]


def test_a_copy_is_the_original_text_and_tells_nothing_early() -> None:
    text = "**4** and $x_1$ <b>"
    start = writing(running("together"), a=text, b="4")
    assert copied(start, "a") == ""
    assert copied(settle(start), "a") == text


@pytest.mark.parametrize("thinks", SIDES)
def test_a_copy_does_not_tell_which_side_failed(thinks: Side) -> None:
    stopped = Reply(thought="Hm, two", finish_reason="stopped")
    replies = {side: stopped if side == thinks else Reply(answer="It is 4.") for side in SIDES}
    failed = fail(receive(running("together"), replies, frozenset()))
    assert {copied(failed, side) for side in SIDES} == {"It is 4."}
    named = replace(failed, mode="named")
    assert copied(named, thinks) == ""


VOTED = replace(settle(running("together")), phase="voted")
REVEALED = replace(VOTED, phase="revealed", roles={"a": "base", "b": "distilled"})
PUBLIC = SharedBattle("id", "pair", "blind", "together", "", (), {}, None)


@pytest.mark.parametrize(
    ("linked", "own", "public", "opened", "failed"),
    [
        ("", {"held": VOTED}, None, "voted", ""),
        ("theirs", {"held": VOTED}, PUBLIC, "shared", ""),
        ("mine", {"mine": VOTED}, PUBLIC, "voted", ""),
        ("mine", {"mine": REVEALED}, PUBLIC, "shared", ""),
        ("dead", {"held": VOTED}, None, "voted", "no such battle"),
        ("dead", {}, None, None, "no such battle"),
        ("mine", {"mine": VOTED}, None, None, "no such battle"),  # it was taken down
        ("", {}, None, None, ""),
    ],
)
def test_a_page_opens_with_what_its_address_and_its_browser_know(
    show: Renderer, linked: str, own: dict[str, Battle], public: SharedBattle | None, opened: str | None, failed: str
) -> None:
    def restore(battle_id: str, _: str) -> Battle:
        if battle_id not in own:
            raise UnknownBattle("There is no such battle.")
        return own[battle_id]

    def load_battle(_: str) -> SharedBattle:
        if public is None:
            raise UnknownBattle("There is no such battle.")
        return public

    services: Any = SimpleNamespace(desk=SimpleNamespace(load_battle=load_battle), visitor=lambda request: "visitor")
    turns: Any = SimpleNamespace(restore=restore)
    request: Any = SimpleNamespace(query_params={"battle": linked} if linked else {})
    answer = open_handler(services, turns, show)("held", request)
    told = answer.news or {}
    assert (answer.battle.phase if isinstance(answer.battle, Battle) else None) == opened
    assert failed in told.get("failed", "") and bool(told.get("failed")) == bool(failed)
    if opened:
        alone = linked in ("", "dead")
        assert ("held" in told["show"]) == alone, "what is opened by a link lets the browser hold another battle"


def test_a_battle_that_is_not_ones_own_is_not_restored() -> None:
    def refuse(*_: Any) -> Battle:
        raise UnknownBattle("There is no such battle.")

    turns: Any = SimpleNamespace(restore=refuse)
    assert own_battle(turns, "someone's", "visitor") is None
    assert own_battle(turns, "", "visitor") is None
    assert own_battle(turns, ["mine"], "visitor") is own_battle(turns, {}, "visitor") is None
    turns = SimpleNamespace(restore=lambda *_: running("live"))
    assert own_battle(turns, "mine", "visitor") == running("live")


@pytest.mark.parametrize("name", [*sorted(HTML_WIDGETS), *sorted(MARKDOWN_WIDGETS), "heads-a", "figures-b"])
def test_no_html_is_sent_that_is_not_ours(name: str, show: Renderer) -> None:
    assert "<img" not in str(news({name: "<img src=x>"}))
    own = show.whole(running("live")).get(name, "")
    assert news({name: own})["show"] == {name: str(own)}


def test_every_widget_that_shows_html_or_markdown_is_known(show: Renderer) -> None:
    with gr.Blocks():
        widgets = build_widgets().named()
    assert set(show.whole(Battle())) - {"held"} == set(widgets) - {"mode"}  # the browser holds that, no widget
    kinds = {name.partition("-")[0]: type(widget) for name, widget in widgets.items()}
    assert {kind for kind, of in kinds.items() if of is gr.HTML} == HTML_WIDGETS
    assert {kind for kind, of in kinds.items() if of is gr.Markdown} == MARKDOWN_WIDGETS


@pytest.mark.parametrize("guarded", [False, True])
def test_watching_live_is_offered_only_where_no_guard_must_read_first(show: Renderer, guarded: bool) -> None:
    show.services.guard = object() if guarded else None  # type: ignore[misc, assignment]
    assert show.delivery(Battle())["visible"] is not guarded


def test_the_page_is_built_as_an_empty_battle_shows_it(show: Renderer) -> None:
    """Only changes are sent, so what a widget is built as stays until something about it changes."""
    with gr.Blocks():
        named = build_widgets().named()
    wrong = {}
    for name, value in beside_own(show.whole(Battle())).items():
        is_update = isinstance(value, dict) and "__type__" in value
        wanted = {key: to for key, to in value.items() if key != "__type__"} if is_update else {"value": value}
        built = {key: getattr(named[name], key, None) for key in wanted}
        wrong |= {f"{name}.{key}": (built[key], to) for key, to in wanted.items() if (built[key] or "") != (to or "")}
    assert wrong == {}
