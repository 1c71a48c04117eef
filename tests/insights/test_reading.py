"""The readings of a store's votes: what is counted, what is recognised, and what is not started for nothing."""

from pathlib import Path

import numpy as np
import pytest

from eval.problems.benchmark import Benchmark
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from insights import reading as reading_module
from insights.offers import problem_candidates
from insights.preference import NotEnough, PreferenceModel
from insights.reading import (
    TopicReading,
    TopicVotes,
    count_copied,
    count_once,
    find_copied,
    known_benchmarks,
    read_preference,
    read_topics,
    read_truth,
)
from insights.stored import stored_benchmarks
from insights.topics import UNSORTED, Topic
from tests.insights.card.helpers import make_sets
from tests.insights.helpers import make_reply, make_vote
from traces.problems.decontaminate import Embedder
from votes.ranking import wilson, win_rate


def no_model() -> Embedder:
    raise AssertionError("the embedding model was loaded for nothing")


def letters(texts):  # type: ignore[no-untyped-def]
    """A stand-in for the embedding model: the first letter is the meaning."""
    return np.stack([np.eye(128, dtype=np.float32)[ord(text[0]) % 128] for text in texts])


def test_nothing_is_started_without_votes() -> None:
    assert isinstance(read_preference([]), NotEnough)
    assert read_truth([], known_benchmarks()).graded == 0
    assert read_topics([], no_model, []).topics == ()


def test_generated_problems_are_recognised_and_graded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    benchmarks = known_benchmarks()
    assert [benchmark.name for benchmark in benchmarks] == ["same_kind", "larger_numbers", "unseen_families"]
    problem = benchmarks[0].problems[0]
    votes = [
        make_vote("a", prompt=problem.question, distilled=make_reply("distilled", f"\\boxed{{{problem.gold}}}")),
        make_vote("b", prompt="Hello", battle="other"),
    ]
    truth = read_truth(votes, benchmarks)
    assert truth.graded == 1 and truth.quadrants[True, False] == {"distilled": ("battle",)}


def test_problems_of_runs_are_known_and_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    make_sets(tmp_path / "runs", {"toy": {"base": 0, "distilled": 0}}, of=3)
    (*_, toy) = known_benchmarks()
    assert (toy.name, toy.title, toy.rule, len(toy.problems)) == ("toy", "TOY", "math", 3)
    votes = [make_vote("a", prompt="2?", distilled=make_reply("distilled", "\\boxed{1}"))]
    assert read_truth(votes, known_benchmarks()).quadrants[True, False] == {"distilled": ("battle",)}
    assert {one.question for one in problem_candidates([toy])} == {maths_prompt(problem) for problem in toy.problems}
    assert stored_benchmarks(tmp_path / "runs", [toy]) == [], "what is known already is not known twice"
    (tmp_path / "runs" / "20260101-000000-run" / "problems.jsonl").write_text("damaged")
    assert [one.name for one in known_benchmarks()] == ["same_kind", "larger_numbers", "unseen_families"]


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
    assert reading.topic_of() == {}, "one question asked three times is no topic"


def test_the_questions_with_most_votes_are_mapped_and_the_newest_among_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "MOST_QUESTIONS", 2)
    embedded: list[str] = []

    def noting(texts):  # type: ignore[no-untyped-def]
        embedded.extend(texts)
        return letters(texts)

    prompts = ["often", "early", "often", "late"]
    votes = [make_vote("a", prompt=prompt, battle=f"b{n}") for n, prompt in enumerate(prompts)]
    reading = read_topics(votes, lambda: noting, [])
    assert embedded == ["often", "late"], "each once"
    assert [vote.battle_id for vote in reading.votes] == ["b0", "b2", "b3"] and len(reading.points) == 3
    assert (reading.left_out, reading.copies) == (1, 1)
    assert reading.topics[0].rate.wins == 3 and reading.topics[0].different == 2


def test_near_copies_are_one_prompt_of_the_model() -> None:
    rng = np.random.default_rng(2)
    votes = [
        make_vote(
            "a" if rng.random() < 0.6 else "b", prompt=f"{chr(97 + n % 20)}{n}", battle=str(n), visitor=str(n % 30)
        )
        for n in range(200)
    ]
    reading = read_topics(votes, lambda: letters, [])
    assert reading.copies == 180 and reading.first_copy["a20"] == "a0"
    apart, together = read_preference(votes), read_preference(votes, None, reading.first_copy)
    assert isinstance(apart, PreferenceModel) and isinstance(together, PreferenceModel)
    assert (apart.prompts, together.prompts) == (200, 20)
    assert together.controlled.share == pytest.approx(apart.controlled.share), "only the errors differ"


def test_copies_of_a_question_count_once() -> None:
    won, lost, tied = (make_vote(verdict) for verdict in ("a", "b", "tie"))  # type: ignore[arg-type]
    once = count_once([(0, won), (0, won), (0, won), (1, lost), (2, tied), (2, won)])
    assert (once.questions, once.rate) == (3, pytest.approx((1 + 0 + 0.75) / 3))
    assert once.interval == wilson(1.75, 3) and count_once([]) == (0, None, None)


def test_prompts_copied_from_a_benchmark_are_marked_by_its_title() -> None:
    text = "A train leaves the station at noon and travels 60 miles an hour for 3 hours. How far does it go?"
    benchmark = Benchmark("toy", (Problem("toy/1", text, "180", "toy"),), "", "", "math", "Toy set")
    votes = [
        make_vote(prompt=text, battle="same"),
        make_vote(prompt=text.replace("A train", "Well: the train") + " Please.", battle="near"),
        make_vote(prompt="How far is the moon?", battle="other"),
    ]
    assert find_copied(votes, [benchmark]) == {"same": "Toy set", "near": "Toy set"}
    assert count_copied({"same": "Toy set", "near": "Toy set", "x": "Other"}) == "Toy set 2, Other 1"
    assert find_copied(votes, []) == {}


def test_topics_are_held_equal_where_they_are_given() -> None:
    rng = np.random.default_rng(0)
    chances = [0.8 if n % 2 else 0.3 for n in range(200)]
    votes = [
        make_vote("a" if rng.random() < chance else "b", prompt=f"{n % 40}", battle=str(n), visitor=str(n % 30))
        for n, chance in enumerate(chances)
    ]
    model = read_preference(votes, {vote.battle_id: "sums" for vote in votes[::2]})
    assert isinstance(model, PreferenceModel)
    (effect,) = [effect for effect in model.effects if effect.name.startswith("topic=")]
    assert effect.p_value < 0.01


def test_a_topic_on_which_all_agree_does_not_take_the_model_away() -> None:
    rng = np.random.default_rng(1)
    votes = [
        make_vote("a" if rng.random() < 0.6 else "b", prompt=f"{n % 40}", battle=str(n), visitor=str(n % 30))
        for n in range(200)
    ]
    agreed = [make_vote("a", prompt="poems", battle=f"p{n}", visitor=str(n)) for n in range(5)]
    topics = {vote.battle_id: "poems" for vote in agreed}
    model = read_preference([*votes, *agreed], topics)
    assert isinstance(model, PreferenceModel) and model.votes == 205
    assert model == read_preference([*votes, *agreed])


def test_the_model_tells_large_topics_apart_only() -> None:
    def topic(name: str, count: int) -> TopicVotes:
        votes = tuple(make_vote(battle=f"{name}{n}") for n in range(count))
        return TopicVotes(Topic(name, ()), win_rate(votes), count_once([]), votes)

    reading = TopicReading((topic("sums", 40), topic("poems", 5), topic(UNSORTED, 50)), (), (), 0, {})
    assert set(reading.topic_of().values()) == {"sums"} and len(reading.topic_of()) == 40
