"""Planted copies are found by the rule meant for them, and problems of their own are left alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from eval.problems.benchmark_sets import load_benchmark
from eval.records import Problem
from traces.problems.decontaminate import (
    COSINE_THRESHOLD,
    Decontaminator,
    grams,
    minilm_embedder,
    minilm_folder,
    near_duplicates,
    template,
)

BENCHMARK = [
    Problem(
        "b/tank",
        "A water tank holds 120 litres and loses 3 litres every hour. After how many hours is it empty?",
        "40",
        "b",
    ),
    Problem("b/coins", "In how many ways can 50 cents be paid with coins of 5, 10 and 20 cents?", "12", "b"),
    Problem("b/root", "Find the sum of all real roots of $x^3 - 6x^2 + 11x - 6 = 0$.", "6", "b"),
    Problem("b/circle", "一个圆的半径是5厘米，它的内接正方形的面积是多少平方厘米？", "50", "b"),
]
COPIES = {
    "word for word": ("b/tank", BENCHMARK[0].question, {"eight_gram", "template", "embedding"}),
    "inside a longer text": (
        "b/tank",
        f"Read carefully and answer. {BENCHMARK[0].question} Give a whole number and explain each of your steps.",
        {"eight_gram", "embedding"},
    ),
    "with other numbers": (
        "b/coins",
        "In how many ways can 70 cents be paid with coins of 2, 10 and 50 cents?",
        {"template"},
    ),
    "another layout": (
        "b/root",
        "Find the sum of all real roots of $x^3-6x^2+11x-6=0$",
        {"eight_gram", "template", "embedding"},
    ),
    "reworded": (
        "b/tank",
        "A tank of water contains 120 litres. Each hour it loses 3 litres. How many hours until the tank is empty?",
        {"embedding"},
    ),
    "Chinese, other ending": (
        "b/circle",
        "一个圆的半径是5厘米，它的内接正方形的面积是多少？",
        {"eight_gram"},
    ),
}
CLEAN = {
    "same topic": "A train travels 120 km in 3 hours. How fast does it go?",
    "same words, another question": "A water tank is a cube with edge 2 metres. What is its volume?",
    "algebra": "Find the product of all integers between 3 and 7.",
    "Chinese": "小明有12个苹果，给了小红3个，还剩多少个？",
}


@pytest.fixture(scope="module")
def checker() -> Decontaminator:
    return Decontaminator(BENCHMARK, minilm_embedder())


def hits(checker: Decontaminator, question: str) -> dict[str, str]:
    problem = [Problem("own/1", question, "1", "own")]
    found = {rule: checker.find(problem, rule)[0] for rule in ("eight_gram", "template", "embedding")}
    return {rule: hit.problem_id for rule, hit in found.items() if hit}


@pytest.mark.parametrize(("original", "question", "rules"), COPIES.values(), ids=COPIES)
def test_planted_copies(checker, original, question, rules):
    found = hits(checker, question)
    assert rules <= set(found), "every rule that is meant to sees it"
    assert set(found.values()) == {original}


@pytest.mark.parametrize("question", CLEAN.values(), ids=CLEAN)
def test_problems_of_their_own(checker, question):
    assert hits(checker, question) == {}


def test_a_hit_says_why(checker):
    hit = checker.find([Problem("own/1", BENCHMARK[0].question, "40", "own")], "eight_gram")[0]
    assert (hit.benchmark, hit.problem_id) == ("b", "b/tank") and len(hit.evidence.split()) == 8


def test_a_set_phrase_proves_nothing():
    phrase = "where m and n are relatively prime positive integers and find the value"
    questions = ["apples in a barrel", "lines through a point", "throws of one die"]
    benchmark = [Problem(f"b/{i}", f"Given {q}, {phrase}.", "1", "b") for i, q in enumerate(questions)]
    own = [Problem("own/1", f"Take any seven cards at random, {phrase}.", "1", "own")]
    assert Decontaminator(benchmark).find(own, "eight_gram") == [None]
    assert Decontaminator(benchmark[:2]).find(own, "eight_gram")[0] is not None


def test_short_questions_are_compared_whole():
    assert grams("What is 3+4?") == {"what is 3 4"}
    assert grams("$$") == set()


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("What is 3 + 4?", "What is 12+5", True),
        ("What is 3.5 plus 1,000?", "what is 7 plus 2?", True),
        ("What is 3 + 4?", "What is 3 - 4?", False),
    ],
)
def test_template(a, b, same):
    assert (template(a) == template(b)) is same


def test_without_an_embedder_only_the_words_count():
    checker = Decontaminator(BENCHMARK)
    assert checker.find([Problem("o", BENCHMARK[0].question, "40", "own")], "embedding") == [None]


def test_the_threshold_is_a_bound():
    def embed(texts):
        return np.array([[1.0, 0.0] if text == "b" else [COSINE_THRESHOLD - 0.001, 0.5] for text in texts])

    checker = Decontaminator([Problem("b/1", "b", "1", "b")], embed)
    assert checker.find([Problem("o", "o", "1", "own")], "embedding") == [None]
    lower = Decontaminator([Problem("b/1", "b", "1", "b")], embed, threshold=COSINE_THRESHOLD - 0.001)
    assert lower.find([Problem("o", "o", "1", "own")], "embedding")[0] is not None


def test_near_duplicates():
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    assert near_duplicates([text, text.replace("fourteen", "fifteen"), "one two three"]) == [None, 0, None]
    assert near_duplicates(["", "", "a", "a b", "a"]) == [None, None, None, None, 2]


def test_the_weights_lie_in_the_package():
    assert (minilm_folder() / "model.safetensors").is_file()


@pytest.mark.skipif(not os.environ.get("JOURNEY_DATA"), reason="JOURNEY_DATA is not set")
def test_every_problem_of_a_benchmark_is_found_in_itself():
    problems = load_benchmark("math500", data=Path(os.environ["JOURNEY_DATA"])).problems
    checker = Decontaminator(problems)
    assert all(checker.find(problems, "template"))
    by_gram = checker.find(problems, "eight_gram")
    assert sum(hit is None for hit in by_gram) == 0
