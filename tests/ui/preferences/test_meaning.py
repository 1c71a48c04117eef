"""What the votes mean, as the page shows it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from insights.preference import NotEnough, PreferenceModel, fit_preference
from insights.reading import TopicReading, TopicVotes
from insights.simulation import simulate
from insights.topics import Topic
from insights.truth import Choices, Reading, Truth
from tests.insights.helpers import make_vote
from tests.votes.helpers import FREE
from ui.preferences.analysis import Analysis, show_votes
from ui.preferences.meaning import preference_html, topics_figure, topics_html, truth_html
from votes.desk import Desk
from votes.limits import Limits
from votes.ranking import win_rate
from votes.store import Store

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
    text = truth_html(TRUTH, frozenset({"b1"}))
    assert "75 %" in text and text.count("not enough yet") == 3
    assert "?battle=b1" in text and "?battle=b2" not in text and "?battle=b3" not in text
    assert "3 of 6 turned to the right answer and 0 away" in text and "p = 0.25" in text


def test_no_graded_votes_invite() -> None:
    empty = replace(TRUTH, graded=0)
    assert "No votes yet on problems" in truth_html(empty, frozenset())


@pytest.mark.parametrize("prompt", ["<script>alert(1)</script>", "A question\nover two lines"])
def test_topics_quote_public_questions_as_text(prompt: str) -> None:
    votes = tuple(make_vote("a", prompt=prompt, battle=f"b{n}") for n in range(3))
    votes = tuple(replace(vote, row_id=str(n)) for n, vote in enumerate(votes))
    topic = TopicVotes(Topic("sums, numbers", (0, 1, 2)), win_rate(votes), 1, votes)
    reading = TopicReading((topic,), ((0.0, 0.0), (0.1, 0.2), (0.3, 0.1)), votes, 2, 1)
    text = topics_html(reading, frozenset({"b0"}))
    assert "<script>" not in text and "?battle=b0" in text and "not enough yet" in text
    assert "2 votes are on a near-copy" in text and "1 are on a problem of a benchmark" in text
    assert "?battle=" not in topics_html(reading, frozenset())
    (trace,) = topics_figure(reading).data
    assert list(trace.x) == [0.0, 0.1, 0.3]


def test_what_is_shown_of_a_store_is_public_and_kept_until_the_next_vote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "key")  # others than the owner look on
    monkeypatch.setattr("ui.preferences.analysis.embedder", lambda: lambda texts: np.eye(len(texts), dtype=np.float32))
    votes = [make_vote("a", prompt=f"secret {n}", battle=f"b{n}") for n in range(3)]
    votes.append(make_vote("a", prompt="open question", battle="b9", licence="CC-BY-4.0"))
    preference, truth, topics, _ = show_votes(votes)
    assert "4 of 50" in preference and "No votes yet on problems" in truth
    assert "open question" in topics and "secret" not in topics
    store = Store(tmp_path / "votes.duckdb")
    services: Any = SimpleNamespace(store=store, desk=Desk(store, limits=Limits(rates=FREE)))
    analysis = Analysis(services)
    assert analysis("pair") is analysis("pair")
    store.close()
