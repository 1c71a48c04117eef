"""Planted copies are found by the rule meant for them, and problems of their own are left alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from eval.problems.benchmark_sets import load_benchmark
from eval.problems.choices import with_options
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


def found_in(text: str, *benchmark: Problem, rule="eight_gram") -> str | None:
    hit = Decontaminator(benchmark).find([Problem("own/1", text, "1", "own")], rule)[0]
    return hit and hit.problem_id


def problem(question: str, gold: str = "1", name: str = "short") -> Problem:
    return Problem(f"b/{name}", question, gold, "b")


LONGER = "Read it carefully, then answer. {} Show each of your steps, and put the result in a box."


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("What is $3 + 4$?", True),
        ("Compute $\\dbinom{31}{28}$.", True),
        ("Find the units digit of $18^6.$", True),
        ("3加20等于多少？", True),
        ("求方程x的平方加5等于9的解。", True),
        ("Evaluate $\\log 264$.", False),
        ("Find $x$.", False),
        ("What is the value of $x$?", False),
        ("Find the area of the shaded region.", False),
        ("求阴影部分的面积。", False),
        ("求5！", False),
    ],
)
def test_a_short_question_is_found_inside_a_longer_text_if_it_says_enough(question, found):
    chinese = "请仔细阅读下面的题目，然后回答。{}请写出每一步，并把结果写在方框里。"
    longer = (chinese if "求" in question or "加" in question else LONGER).format(question)
    assert bool(found_in(longer, problem(question))) is found
    assert found_in(question, problem(question)) == "b/short", "as a whole text it always counts"


def test_only_the_whole_of_a_short_question_counts():
    assert found_in(LONGER.format("What is 3 plus 5?"), problem("What is 3 plus 4?")) is None
    assert found_in("What is 3 plus?", problem("What is 3 plus 4?")) is None
    longer = problem("What is 3 plus 4 plus 5 plus 6 plus 7?", name="long")
    assert found_in(LONGER.format("What is 3 plus 4 plus 5?"), longer) is None, "a part of a long one proves nothing"


def test_a_short_question_that_many_benchmark_problems_contain_is_a_set_phrase():
    others = [problem(f"{who} asks: what is 3 plus 4? Say it in {where}.", str(n), who)
              for n, (who, where) in enumerate([("Ann", "words"), ("Ben", "Roman numerals")])]  # fmt: skip
    text = LONGER.format("What is 3 plus 4?")
    assert found_in(text, problem("What is 3 plus 4?", "7"), others[0]) is not None
    assert found_in(text, problem("What is 3 plus 4?", "7"), *others) is None


OPTIONS = ["$2x$", "$x$", "$x^3/3$", "the number of all those who ever asked for a derivative"]
SHORT_CHOICE = problem(with_options("What is the derivative of $x^2$?", OPTIONS), "A. $2x$", "choice")
LONG_CHOICE = problem(with_options(BENCHMARK[0].question, ["40", "30"]), "A. 40", "choice")


@pytest.mark.parametrize("text", ["What is the derivative of $x^2$?", LONGER.format("What is the derivative of x^2?")])
def test_multiple_choice_is_found_without_its_options(text):
    assert found_in(text, SHORT_CHOICE) == "b/choice"


def test_the_other_rules_too_read_multiple_choice_without_options(checker):
    assert found_in("What is the derivative of x^3?", SHORT_CHOICE, rule="template") == "b/choice"
    assert found_in(with_options("What is the derivative of x^3?", ["1", "2"]), SHORT_CHOICE, rule="template")
    texts: list[str] = []

    def embed(given):
        texts.extend(given)
        return np.ones((len(given), 1))

    Decontaminator([LONG_CHOICE], embed).find([SHORT_CHOICE], "embedding")
    assert texts == [BENCHMARK[0].question, "What is the derivative of $x^2$?"]


def test_options_and_the_request_to_choose_prove_nothing_unless_long():
    own = with_options("How many legs has an ant, and how many have two?", ["$2x$", "$x$", "40", "30"])
    assert found_in(own, SHORT_CHOICE, LONG_CHOICE) is None
    assert found_in(LONGER.format(OPTIONS[-1]), SHORT_CHOICE) == "b/choice", "a run of eight is one anywhere"
    assert found_in(BENCHMARK[0].question, LONG_CHOICE) == "b/choice"


def test_one_problem_in_three_wordings_is_no_set_phrase():
    """The sets of --against may overlap, each with words of its own."""
    core = "A water tank holds 120 litres and loses 3 litres every hour."
    wordings = [
        problem(f"{core} After how many hours is it empty?", "40", "1"),
        problem(f"{core} When is it empty? Give hours.", "40.0", "2"),
        problem(f"{core} In how many hours does it run dry?", "\\frac{80}{2}", "3"),
    ]
    own = f"{core} How long does the water last?"
    assert found_in(own, *wordings) == "b/1"
    others = [problem(f"{core} Find what is left after {n} hours.", str(120 - 3 * n), f"o{n}") for n in (7, 8)]
    assert found_in(own, *wordings, others[0]) == "b/1"
    assert found_in(own, *wordings, *others) is None, "three problems do share it"


def test_the_same_text_is_one_problem_whatever_its_answer_is_written_like():
    question = "Which of all the numbers below ten and above two is the largest prime?"
    copies = [problem(question, gold, gold) for gold in ("7", "seven", "{7}")]
    assert found_in(LONGER.format(question), *copies) == "b/7"
    choices = [
        problem(with_options(question, [option, "5"]), f"A. {option}", option) for option in ("7", "VII", "sept")
    ]
    assert found_in(LONGER.format(question), *choices) is None, "three that offer something else are three problems"


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
