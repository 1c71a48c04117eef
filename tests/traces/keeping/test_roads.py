"""One solution a road, the most varied first; pairs of like length. Pure functions."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.records import Problem
from traces.keeping.preferences import MOST_RATIO, preferences
from traces.keeping.roads import difference, equations, road, select
from traces.keeping.trace import Trace

ALIKE = [
    "We get 0.80 \\times 50 = 40.",
    "50 * 80% = 40",
    "\\[ 80\\% \\times 50 \\text{ questions} = 40 \\text{ questions} \\]",
    "So $50 \\cdot 0.8 = \\boxed{40}$.",
    "50 questions × 0.8 = 40 questions",
    "That is \\(0.8 \\times 50 = 40.0\\).",
]
FOUND = [
    ("4 miles/day * 4 days = 16 minutes", [((4, 4), "*", 16)]),
    ("\\frac{810}{3} = 270", [((3, 810), "/", 270)]),
    ("$1{,}200 + 1,300 = \\$2,500$", [((1200, 1300), "+", 2500)]),
    ("2(3 + 4) = 14 and 2 x 7 = 14", [((3, 4), "+", 14), ((2, 7), "*", 14)]),
    ("3 \\times 4 + 2 = 12 + 2 = 14", [((2, 3, 4), "*+", 14)]),
    ("1. First, 5 + 3 = 8", [((3, 5), "+", 8)]),
    ("x = 22", []),
    ("24 - 4 =", []),
    ("12 = 24 / 2", []),
    ("three plus four is seven", []),
]


def test_the_same_calculation_in_other_words_is_the_same_road() -> None:
    assert {road(text) for text in ALIKE} == {equations(ALIKE[0])}


@pytest.mark.parametrize(("text", "found"), FOUND)
def test_calculations_are_found_in_plain_text_and_latex(
    text: str, found: list[tuple[tuple[int, ...], str, int]]
) -> None:
    assert [(e.numbers, e.operators, e.result) for e in equations(text)] == [
        (tuple(map(Fraction, numbers)), operators, Fraction(result)) for numbers, operators, result in found
    ]


def test_another_order_of_steps_is_another_road() -> None:
    assert road("1 + 2 = 3 then 3 * 3 = 9") != road("3 * 3 = 9 then 1 + 2 = 3")


@given(st.text(alphabet="0123456789+-*/=()%. ,$\\x\nab{}frac", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    equations(text)


def solution(problem: int, text: str, kept: bool | None = True, reason: str = "", seed: int = 0) -> Trace:
    what = Problem(f"own/{problem}", "?", "1", "own")
    return Trace(what, "?", text, "", text, "solution", "m", kept=kept, reason=reason, attempt=seed + 1, seed=seed)


OPERATIONS = st.sampled_from(["1 + 2 = 3", "2 + 1 = 3", "3 * 4 = 12", "12 - 3 = 9", "9 / 3 = 3", "words only"])
TEXTS = st.lists(OPERATIONS, min_size=1, max_size=4).map("\n".join)
SOLUTIONS = st.lists(
    st.builds(
        solution,
        st.integers(0, 2),
        TEXTS,
        st.sampled_from([True, True, False, None]),
        st.just("wrong_answer: 2 where 1 is right"),
        st.integers(0, 50),
    ),
    max_size=14,
)


@given(SOLUTIONS, st.integers(1, 4))
def test_chosen_are_kept_and_one_a_road_and_all_are_accounted_for(traces: list[Trace], most: int) -> None:
    selection = select(traces, most)
    assert len(selection.chosen) + selection.dropped.total() == len(traces)
    assert all(trace.kept for trace in selection.chosen)
    roads = [(trace.problem.id, road(trace.raw)) for trace in selection.chosen]
    assert len(roads) == len(set(roads))
    by_problem: defaultdict[str, int] = defaultdict(int)
    for trace in selection.chosen:
        by_problem[trace.problem.id] += 1
    assert all(number <= most for number in by_problem.values())
    rounds = [[trace.problem.id for trace in selection.chosen].index(name) for name in by_problem]
    assert sorted(rounds) == list(range(len(by_problem))), "each problem's first comes before any problem's second"
    assert {t.problem.id for t in traces if t.kept} == set(by_problem)


@given(SOLUTIONS, st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_file(traces: list[Trace], random: object) -> None:
    shuffled = list(traces)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    chosen = [{(t.problem.id, t.raw) for t in select(order, 2).chosen} for order in (traces, shuffled)]
    assert chosen[0] == chosen[1]


def test_the_most_varied_come_first() -> None:
    short = solution(1, "1 + 2 = 3")
    near = solution(1, "1 + 2 = 3\n3 * 4 = 12")
    far = solution(1, "9 / 3 = 3\n12 - 3 = 9\n5 + 5 = 10")
    assert [t.raw for t in select([near, far, short]).chosen] == [short.raw, far.raw, near.raw]
    assert select([near, far, short], 2).dropped == {"enough": 1}


def test_reasons_for_what_is_left_out() -> None:
    traces = [
        solution(1, "1 + 2 = 3"),
        solution(1, "1 + 2 = 3", seed=1),
        solution(1, "so 2 + 1 = 3", seed=2),
        solution(1, "```python\nprint(3)\n```", seed=3),
        solution(1, "4", False, "wrong_answer: 4 where 3 is right", 4),
        solution(1, "4", False, "cut_off: the token limit", 5),
        solution(1, "4", None, "", 6),
    ]
    wanted = dict.fromkeys(("same_text", "same_road", "program", "wrong_answer", "cut_off", "unverified"), 1)
    assert select(traces).dropped == wanted


def test_difference_is_a_share() -> None:
    first, second = equations("1 + 2 = 3 and 3 * 4 = 12"), equations("1 + 2 = 3")
    assert difference(first, first) == 0 and difference((), ()) == 0
    assert difference(first, second) == difference(second, first) == 0.5


LENGTHS = st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(1, 60)), max_size=12)


@given(LENGTHS, st.integers(1, 3))
def test_pairs_are_right_against_wrong_of_like_length(made: list[tuple[int, bool, int]], most: int) -> None:
    wrong = "wrong_answer: 2 where 1 is right"
    traces = [
        solution(problem, "x" * length, kept, "" if kept else wrong, seed)
        for seed, (problem, kept, length) in enumerate(made)
    ]
    pairs = preferences(traces, most)
    used = [trace.hash for pair in pairs for trace in pair]
    assert len(used) == len(set(used))
    for pair in pairs:
        lengths = sorted(len(trace.raw) for trace in pair)
        assert pair.chosen.kept and pair.rejected.kept is False
        assert pair.chosen.problem == pair.rejected.problem
        assert lengths[1] <= MOST_RATIO * lengths[0]
    names = sorted(pair.chosen.problem.id for pair in pairs)
    assert all(len(list(group)) <= most for _, group in groupby(names))


def test_what_was_cut_off_or_failed_is_no_wrong_answer() -> None:
    right = solution(1, "the answer")
    for reason in ("cut_off: the token limit", "request: timeout", "no_box: none", "checks_disagree: 1"):
        assert preferences([right, solution(1, "no answer!", False, reason)]) == []
    assert preferences([right, solution(1, "no answer!", None)]) == []


def test_a_program_is_in_no_pair_as_in_no_row() -> None:
    program = "```python\nprint(4)\n```"
    right, wrong = solution(1, program), solution(1, program.replace("4", "5"), False, "wrong_answer: 5")
    plain_right, plain_wrong = (
        solution(1, "2 + 2 = 4, so it is 4."),
        solution(1, "2 + 2 = 5, so it is.", False, "wrong_answer: 5"),
    )
    assert preferences([right, plain_wrong]) == preferences([plain_right, wrong]) == preferences([right, wrong]) == []
    assert [pair.chosen for pair in preferences([right, plain_right, wrong, plain_wrong])] == [plain_right]


def test_the_same_text_sampled_twice_is_one_solution() -> None:
    right = [solution(1, "x" * 20, seed=seed) for seed in (1, 2)]
    wrong = [solution(1, letter * 20, False, "wrong_answer: 2", seed) for seed, letter in enumerate("yzz", start=3)]
    assert len(preferences([*right, *wrong])) == 1
    assert len(preferences([right[0], solution(1, "w" * 20), *wrong])) == 2
    assert len(preferences([right[0], solution(1, "w" * 20), *wrong[1:]])) == 1


def test_of_many_the_most_alike_are_paired() -> None:
    right = [solution(1, "x" * 100, seed=1), solution(1, "x" * 80, seed=2)]
    wrong = [replace(solution(1, "y" * n, False, "wrong_answer: 2", n)) for n in (99, 81, 300)]
    pairs = preferences([*right, *wrong])
    assert [(len(p.chosen.raw), len(p.rejected.raw)) for p in pairs] == [(100, 99), (80, 81)]
