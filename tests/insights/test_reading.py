"""The readings of a store's votes: what is counted, what is recognised, and what is not started for nothing."""

import numpy as np
import pytest

from insights.preference import NotEnough
from insights.reading import known_benchmarks, read_preference, read_topics, read_truth
from tests.insights.helpers import make_reply, make_vote
from traces.problems.decontaminate import Embedder


def no_model() -> Embedder:
    raise AssertionError("the embedding model was loaded for nothing")


def letters(texts):  # type: ignore[no-untyped-def]
    """A stand-in for the embedding model: the first letter is the meaning."""
    return np.stack([np.eye(128, dtype=np.float32)[ord(text[0]) % 128] for text in texts])


def test_nothing_is_started_without_votes() -> None:
    assert isinstance(read_preference([]), NotEnough)
    assert read_truth([], known_benchmarks()).graded == 0
    assert read_topics([], no_model, []).topics == ()


def test_generated_problems_are_recognised_and_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    benchmarks = known_benchmarks()
    assert [benchmark.name for benchmark in benchmarks] == ["same_kind", "larger_numbers", "unseen_families"]
    problem = benchmarks[0].problems[0]
    votes = [
        make_vote("a", prompt=problem.question, distilled=make_reply("distilled", f"\\boxed{{{problem.gold}}}")),
        make_vote("b", prompt="Hello", battle="other"),
    ]
    truth = read_truth(votes, benchmarks)
    assert truth.graded == 1 and truth.quadrants[True, False] == {"distilled": ("battle",)}


def test_topics_count_blind_first_votes_only() -> None:
    votes = [make_vote("a", prompt=f"a{n} question", battle=f"a{n}") for n in range(3)]
    votes += [
        make_vote("b", prompt="zebra", battle="z", stage="reasoning"),
        make_vote("b", prompt="b", battle="n", mode="named"),
    ]
    retracted = make_vote("b", prompt="a question", battle="r")
    votes += [retracted, make_vote("b", prompt="a question", battle="r", row_id="undo", retracts=retracted.row_id)]
    reading = read_topics(votes, lambda: letters, [])
    assert len(reading.votes) == len(reading.points) == 3
    (one,) = reading.topics
    assert one.rate.wins == 3 and one.different == 1 and reading.copies == 2 and reading.benchmark_copies == 0
