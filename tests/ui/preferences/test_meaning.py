"""What the votes mean, as the page shows it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from insights.likeness import Likeness
from insights.preference import NotEnough, PreferenceModel, fit_preference
from insights.reading import Once, TopicReading, TopicVotes
from insights.simulation import simulate
from insights.topics import Topic
from insights.truth import Choices, Reading, Truth
from tests.insights.helpers import make_vote
from tests.votes.helpers import FREE
from ui.preferences.analysis import Analysis, show_votes
from ui.preferences.meaning import preference_html, topics_html, truth_html
from ui.preferences.quadrants import LISTED, linked_count, quadrants_html
from ui.preferences.search import search_html
from ui.preferences.topic_map import topics_figure
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.ranking import wilson, win_rate
from votes.store import Store
from votes.takedown import set_hidden

TRUTH = Truth(
    graded=14,
    quadrants={
        (True, True): {},
        (True, False): {"distilled": ("b1", "b2"), "base": ("b3",)},
        (False, True): {},
        (False, False): {},
    },
    by_stage={"answers": Choices(9, 12, ("b1",)), "reasoning": Choices(1, 2, ())},
    by_length={"longer": Choices(3, 9, ()), "not longer": Choices(0, 0, ())},
    by_thought={"longer": Choices(1, 2, ()), "not longer": Choices(0, 0, ())},
    named=Choices(5, 10, ()),
    by_tone={
        "confident": Choices(2, 10, ("b1",)),
        "hedged": Choices(0, 1, ()),
        "without an answer": Choices(0, 0, ()),
    },
    reading=Reading(6, 3, 0, 0.25),
)


def test_too_few_votes_are_a_sentence_not_a_number() -> None:
    text = preference_html(NotEnough("Not enough votes yet: 3 of 50."))
    assert "3 of 50" in text and "%" not in text


def test_both_preferences_stand_side_by_side() -> None:
    model = fit_preference(simulate(np.random.default_rng(0), 4000, preference=0.5))
    assert isinstance(model, PreferenceModel)
    text = preference_html(model)
    assert "As counted" in text and "people prefer the distilled model" in text and "Longer answer" in text
    undecided = replace(model, controlled=model.controlled._replace(low=0.4, high=0.6), more_votes=1234)
    assert "about 1,234 more votes" in preference_html(undecided)
    assert "neither is preferred" in preference_html(replace(undecided, more_votes=None))


def test_shares_of_few_are_not_shown_and_links_are_only_to_public_battles() -> None:
    text = truth_html(TRUTH, {"b1": "How <much>?"})
    assert "75 %" in text and text.count("not enough yet") == 7 and "0 of 10" in text
    assert "with names and reasoning shown from the start</td><td>50 %" in text
    assert "where it sounds confident</td><td>80 %" in text, "eight of ten preferred the confident wrong answer"
    assert "?battle=b1" in text and "?battle=b2" not in text and "?battle=b3" not in text
    assert "How &lt;much&gt;?" in text
    assert "3 of 6 turned to the right answer and 0 away" in text and "p = 0.25" in text


def test_no_graded_votes_invite() -> None:
    empty = replace(TRUTH, graded=0)
    assert "No votes yet on problems" in truth_html(empty, {})


def test_the_quadrants_are_bars_of_one_scale_and_each_count_opens_its_battles() -> None:
    text = quadrants_html(TRUTH, {f"b{n}": f"question {n}" for n in range(1, 4)})
    field = text[text.index("Only the distilled model right") :]
    assert (
        field.index("width: 100%") < field.index("question 1") < field.index("question 2") < field.index("width: 50%")
    )
    assert text.count("<details") == 2 and text.count("<section") == 4 and "Both right: 0" in text
    many = tuple(str(n) for n in range(LISTED + 5))
    assert "5 more are not linked here" in linked_count(many, dict.fromkeys(many, "q"))
    assert linked_count(("a", "b"), {}) == "2" and linked_count(("a",), {}, of=10) == "1 of 10"


class Letters:
    """In place of the embedding model: the first letter is the meaning."""

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([np.eye(128, dtype=np.float32)[ord(text[0]) % 128] for text in texts])


def test_battles_like_a_question_or_a_battle_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = [
        make_vote("a", prompt="apples or pears?", battle="b1"),
        make_vote("b", prompt="apples  or pears?", battle="b2", row_id="2"),
        make_vote("tie", prompt="an <i>apple</i>", battle="b3", row_id="3"),
        make_vote("a", prompt="zebras", battle="b4", row_id="4"),
    ]
    likeness = Likeness(Letters)
    text = search_html("all about fruit", votes, likeness)
    assert text.count("<tr>") == 3 and "zebras" not in text and "distilled better 1, base better 1" in text
    assert "an &lt;i&gt;apple" in text and "?battle=b2" in text
    of_battle = search_html("https://arena/?battle=b3&x=1", votes, likeness)
    assert "apples or pears" in of_battle and "an &lt;i&gt;" not in of_battle
    assert "No battle here is like this" in search_html("nothing", votes, likeness)
    assert "Enter a question" in search_html("  ", votes, likeness)
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "key")  # others than the owner look on
    assert "No battle here is like this" in search_html("all about fruit", votes, likeness)
    assert "No battle here" in search_html("b3", votes, likeness), (
        "nor does an id show the question of a private battle"
    )


@pytest.mark.parametrize("prompt", ["<script>alert(1)</script>", "A question\nover two lines"])
def test_topics_quote_public_questions_as_text(prompt: str) -> None:
    votes = tuple(make_vote("a", prompt=prompt, battle=f"b{n}") for n in range(3))
    votes = tuple(replace(vote, row_id=str(n)) for n, vote in enumerate(votes))
    topic = TopicVotes(Topic("sums, numbers", (0, 1, 2)), win_rate(votes), Once(1, 1.0, wilson(1, 1)), votes)
    reading = TopicReading((topic,), ((0.0, 0.0), (0.1, 0.2), (0.3, 0.1)), votes, 2, {"b0": "MATH500"})
    text = topics_html(reading, {"b0": " ".join(prompt.split())})
    assert "<script>" not in text and "?battle=b0" in text and "not enough yet" in text
    assert "2 of 3 votes are on a near-copy" in text and "1 are on a problem of a benchmark: MATH500 1" in text
    assert "</a> (MATH500)" in text
    assert "?battle=" not in topics_html(reading, {})
    assert "7 votes are not shown here" in topics_html(replace(reading, left_out=7), {})
    (trace,) = topics_figure(reading, {"b0": "A question"}).data
    assert list(trace.x) == [0.0, 0.1, 0.3]
    assert list(trace.customdata) == [["b0", "A question"], None, None], "only a public battle can be opened"


def test_what_is_shown_of_a_store_is_public_and_kept_until_the_next_vote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "key")  # others than the owner look on
    monkeypatch.setattr("ui.preferences.analysis.embedder", lambda: lambda texts: np.eye(len(texts), dtype=np.float32))
    votes = [make_vote("a", prompt=f"secret {n}", battle=f"b{n}") for n in range(3)]
    votes.append(make_vote("a", prompt="open question", battle="b9", licence="CC-BY-4.0"))
    preference, truth, topics, _, point = show_votes(votes)
    assert "4 of 50" in preference and "No votes yet on problems" in truth
    assert "open question" in topics and "secret" not in topics and "Select a point" in point
    store = Store(tmp_path / "votes.duckdb")
    services: Any = SimpleNamespace(store=store, desk=Desk(store, limits=Limits(rates=FREE)))
    analysis = Analysis(services)
    figure = analysis("pair")[3].pop("value")  # as gradio does
    assert analysis("pair")[3]["value"] is figure, "the next visitor sees the map as well"
    store.append(make_vote("a", prompt="first question", battle="b1", licence="CC-BY-4.0"))
    assert "first question" in analysis("pair")[2]
    set_hidden(store, "b1", "", hidden=True)
    store.append(make_vote("a", prompt="second question", battle="b2", licence="CC-BY-4.0"))
    assert "second question" in analysis("pair")[2], "as many votes as before, and other ones"
    store.close()


def test_what_the_owner_was_shown_is_not_kept_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.preferences.analysis.embedder", lambda: lambda texts: np.eye(len(texts), dtype=np.float32))
    store = Store(tmp_path / "votes.duckdb")
    store.append(make_vote("a", prompt="secret question", battle="b1"))
    analysis = Analysis(SimpleNamespace(store=store, desk=Desk(store, limits=Limits(rates=FREE))))  # type: ignore[arg-type]
    for others, shown in ((False, True), (True, False), (False, True)):
        monkeypatch.setattr("ui.preferences.analysis.needs_key", lambda others=others: others)
        assert ("secret question" in analysis("pair")[2]) is shown
    store.close()
