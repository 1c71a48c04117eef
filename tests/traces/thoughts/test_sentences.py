"""Thoughts in sentences: every equation in them holds, and they end in the right answer."""

import re
from fractions import Fraction

import pytest

from eval.problems.families import TRAINED, generate
from eval.records import Problem
from traces.thoughts.sentences import TELLERS, told

PROBLEMS = [
    problem
    for split in ("train", "larger_numbers")
    for seed in range(3)
    for problem in generate(split, 160, seed, tuple(TELLERS))  # type: ignore[arg-type]
]
EQUATION = re.compile(r"\\\(([^()]*=[^()]*)\\\)")


def value(expression: str) -> Fraction:
    return Fraction(eval(expression.replace("\\times", "*"), {"__builtins__": {}}))


def false_equations(text: str) -> list[str]:
    return [found for found in EQUATION.findall(text) if len({value(side) for side in found.split("=")}) > 1]


def test_a_false_equation_is_noticed() -> None:
    assert false_equations(r"\(35 = 2 \times 14 + 7\) and \(7 + 1 = 9\)") == ["7 + 1 = 9"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_equation_holds(seed: int) -> None:
    for problem in PROBLEMS:
        text = told(problem, seed).thought
        assert not false_equations(text), text


def test_it_ends_in_the_answer_that_its_last_step_found() -> None:
    for problem in PROBLEMS:
        trace = told(problem, 1)
        *_, last, ending = trace.thought.split("\n\n")
        assert ending.endswith(f"\\(\\boxed{{{problem.gold}}}\\).")
        assert problem.gold in re.findall(r"\d+", last), trace.thought
        assert trace.raw == f"<think>\n{trace.thought}\n</think>\n\nThe answer is $\\boxed{{{problem.gold}}}$."


def test_a_seed_always_tells_alike_and_seeds_differ() -> None:
    assert told(PROBLEMS[0], 1) == told(PROBLEMS[0], 1)
    assert len({told(PROBLEMS[0], seed).thought for seed in range(20)}) > 5


def test_trials_that_fail_are_part_of_it() -> None:
    left = re.compile(r"not in the list|so no\.|, not \d|less than \d+\.")
    assert sum(bool(left.search(told(problem, 1).thought)) for problem in PROBLEMS) > len(PROBLEMS) / 2


@pytest.mark.parametrize("family", sorted(set(TRAINED) - set(TELLERS)))
def test_other_families_are_refused(family: str) -> None:
    problem: Problem = generate("train", 1, 1, (family,))[0]
    with pytest.raises(KeyError, match=family):
        told(problem, 1)
