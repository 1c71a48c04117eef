"""Every family against a solver that shares no code with it, and splits that never mix."""

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from itertools import combinations, count, cycle, islice, product
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ConfigError
from eval.problems.families import SPLITS, TRAINED, UNSEEN, Split, generate, key_of
from eval.problems.families.family import LEVELS
from eval.records import Problem

Numbers = dict[str, int]


def two_signs(p: Numbers) -> int:
    signs = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y}
    found = {
        first(p["a"], p["b"])
        for first, second in product(signs.values(), repeat=2)
        if second(first(p["a"], p["b"]), p["c"]) == p["t"]
    }
    (only,) = found
    return only


def pair_of(p: Numbers) -> tuple[int, int]:
    numbers = [p[name] for name in p if name[0] == "n"]
    (pair,) = [pair for pair in combinations(numbers, 2) if sum(pair) == p["t"]]
    return pair


def shared(p: Numbers) -> int:
    total = sum(p["b"] for _ in range(p["a"])) + p["c"] * (1 if p["kind"] == 1 else -1)
    share = Fraction(total, p["d"])
    assert share.denominator == 1
    return int(share)


SOLVERS: dict[str, Callable[[Numbers], int]] = {
    "sums": lambda p: eval(f"{p['a']}*{p['b']} {'-' if p['kind'] == 2 else '+'} {p['c']}*{p['d']}"),
    "word": shared,
    "multiples": lambda p: len([n for n in range(p["low"], p["high"] + 1) if n % p["k"] == 0]),
    "linear": lambda p: next(x for x in count() if p["a"] * x + p["b"] == p["d"] * x + p["c"]),
    "quadratic": lambda p: sorted(x for x in range(p["s"] + 1) if x * x - p["s"] * x + p["p"] == 0)[p["kind"] - 2],
    "pick": lambda p: [min, max, lambda pair: pair[0] * pair[1]][p["kind"]](pair_of(p)),
    "countdown": two_signs,
    "gcd": lambda p: max(d for d in range(1, min(p["a"], p["b"]) + 1) if p["a"] % d == p["b"] % d == 0),
    "lcm": lambda p: next(n for n in count(1) if n % p["a"] == n % p["b"] == 0),
    "powers": lambda p: p["a"] ** p["e"] % p["m"],
    "remainders": lambda p: next(x for x in count(1) if (x % p["m"], x % p["n"]) == (p["r"], p["s"])),
    "divisors": lambda p: sum((d if p["kind"] else 1) for d in range(1, p["n"] + 1) if p["n"] % d == 0),
    "heaps": lambda p: sum([p["b"]] * p["a"]) + sum([-p["d"] if p["kind"] else p["d"]] * p["c"]),
    "change": lambda p: next(left for left in count() if sum([p["b"]] * p["a"], left) == p["n"]),
    "saving": lambda p: reduce(lambda now, _: now - p["d"] if p["kind"] else now + p["d"], range(p["n"]), p["start"]),
    "sides": lambda p: len(list(product(range(p["a"]), range(p["b"])))) if p["kind"] else p["a"] * 2 + p["b"] * 2,
    "wheel": lambda p: list(islice(cycle(range(p["m"])), p["s"] + p["n"] + 1))[-1],
    "average": lambda p: int(mean([p["a"], p["b"], *([p["c"]] if p["c"] else [])])),
    "share": lambda p: next(x * (p["k"] if p["kind"] else 1) for x in count(1) if x + p["k"] * x == p["s"]),
    "rectangle": lambda p: max(
        a for a in range(1, p["area"] + 1) if p["area"] % a == 0 and 2 * (a + p["area"] // a) == p["perimeter"]
    ),
    "difference": lambda p: next(x for x in count() if x - (p["s"] - x) == p["d"]),
    "sequence": lambda p: list(range(p["a"], p["a"] + p["n"] * p["d"], p["d"]))[-1],
    "division": lambda p: p["n"] - p["m"] * max(q for q in range(p["n"] + 1) if q * p["m"] <= p["n"]),
    "price": lambda p: sum([p["b"]] * p["a"]) + sum([p["d"]] * p["c"]),
    "substitution": lambda p: sum([p["x"]] * p["a"], p["b"]),
    "consecutive": lambda p: next(n for n in count() if n + n - 1 + n - 2 == p["s"]),
}


def numbers_of(problem: Problem) -> Numbers:
    return {name: int(value) for name, value in problem.extra.items()}


def test_every_family_has_an_independent_solver() -> None:
    assert set(SOLVERS) == set(TRAINED) | set(UNSEEN)
    assert len(TRAINED) >= 10


@pytest.mark.parametrize("split", SPLITS)
def test_gold_is_what_an_independent_solver_finds(split: Split) -> None:
    for problem in generate(split, 300, seed=3):
        assert int(problem.gold) == SOLVERS[problem.subject](numbers_of(problem)), problem


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), split=st.sampled_from(SPLITS))
def test_same_arguments_same_problems(seed: int, split: Split) -> None:
    first = generate(split, 12, seed)
    assert first == generate(split, 12, seed)
    assert len({problem.id for problem in first}) == 12


def test_splits_share_no_problem_in_any_order_or_story() -> None:
    def numbers(problem: Problem) -> tuple[str, list[str]]:
        return problem.subject, sorted(v for name, v in problem.extra.items() if name not in ("story", "kind"))

    train = [numbers(p) for p in generate("train", 3000, seed=1)]
    for split in ("same_kind", "larger_numbers"):
        assert not [p for p in generate(split, 300, seed=2) if numbers(p) in train]
    assert not set(TRAINED) & set(UNSEEN)


def test_larger_numbers_are_larger_than_any_in_training() -> None:
    for problem in generate("larger_numbers", 300, seed=4):
        assert max(numbers_of(problem).values()) > TRAINED[problem.subject].largest, problem


@given(st.sampled_from(sorted(TRAINED)), st.integers(0, 10**6), st.integers(1, 10), st.randoms())
def test_a_twin_is_the_same_problem(name: str, seed: int, size: int, rng: Random) -> None:
    family = TRAINED[name]
    params = family.draw(Random(seed), size)
    names = [n for n in params if n not in ("story", "kind")]
    values = [params[n] for n in names]
    rng.shuffle(values)
    twin = {**params, **dict(zip(names, values, strict=True)), **({"story": 1} if "story" in params else {})}
    assert key_of(family, twin) == key_of(family, params)
    assert key_of(family, {**params, names[0]: 10**9}) != key_of(family, params)


def test_every_wording_states_every_number() -> None:
    for problem in (*generate("larger_numbers", 200, seed=5), *generate("unseen_families", 100, seed=5)):
        family, params = {**TRAINED, **UNSEEN}[problem.subject], numbers_of(problem)
        wordings = family.wordings(params)
        assert problem.question in wordings
        assert len(set(wordings)) >= (3 if problem.subject in TRAINED else 2)
        # Sums of one product and stories that share nothing have a `d` that is 1 and not told.
        untold = {"story", "kind", *(("d",) if problem.subject in ("sums", "word") and params["d"] == 1 else ())}
        for name in params.keys() - untold:
            other = family.wordings({**params, name: params[name] + 1})
            assert not set(wordings) & set(other), f"{problem.subject} does not tell {name}"


def test_levels_are_spread() -> None:
    problems = generate("train", 240, seed=9)
    assert {p.level for p in problems} == {"1", "2", "3", "4", "5"}
    assert {p.subject for p in problems} == set(TRAINED)


def test_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="rectangle"):
        generate("train", 5, 0, ["rectangle"])


def test_an_exhausted_split_says_so() -> None:
    with pytest.raises(ConfigError, match="has only"):
        generate("same_kind", 500, 0, ["divisors"])


@pytest.mark.parametrize("name", TRAINED)
def test_small_problems_stay_within_the_stated_range(name: str) -> None:
    family, rng = TRAINED[name], Random(0)
    for size in range(1, LEVELS + 1):
        for _ in range(400):
            assert max(family.draw(rng, size).values()) <= family.largest
