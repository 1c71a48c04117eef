"""Counting votes: cases worked out by hand, and properties that hold for any votes."""

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from votes.ballot import Ballot, Role, Verdict, detect_language
from votes.ranking import WinRate, effective_votes, over_time, position_bias, wilson, win_rate, win_rates_by


def ballot(number: int, verdict: Verdict = "a", a_role: Role = "distilled", **fields: Any) -> Ballot:
    values = {
        "row_id": str(number),
        "battle_id": f"battle-{number}",
        "voted_at": f"2026-01-{1 + number % 28:02d}T00:00:00.000+00:00",
        "visitor": "visitor",
        "pair": "pair",
        "stage": "answers",
        "verdict": verdict,
        "a_role": a_role,
        "mode": "blind",
        "delivery": "together",
        "language": "en",
        "retracts": "",
        "reasoning_seen": False,
    }
    return Ballot(**{**values, **fields})


ballots = st.lists(
    st.tuples(st.sampled_from(get_args(Verdict)), st.sampled_from(get_args(Role)), st.integers(0, 60)), max_size=40
).map(lambda rows: [ballot(n, v, r, voted_at=f"2026-01-{1 + d % 28:02d}") for n, (v, r, d) in enumerate(rows)])


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe 1998 (Statistics in Medicine 17), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials() -> None:
    assert wilson(0, 0) is None
    assert WinRate(0, 0, 0, 0).rate is None and WinRate(0, 0, 0, 0).interval is None


def test_ties_and_both_bad_are_halves() -> None:
    votes = [ballot(1, "a"), ballot(2, "a", "base"), ballot(3, "b", "base"), ballot(4, "tie"), ballot(5, "both_bad")]
    assert win_rate(votes) == WinRate(wins=2, losses=1, ties=1, both_bad=1)
    assert win_rate(votes).rate == pytest.approx(3 / 5)


def test_position_bias_counts_decisive_blind_votes() -> None:
    votes = [ballot(1, "a"), ballot(2, "a", "base"), ballot(3, "b"), ballot(4, "tie"), ballot(5, "b", mode="named")]
    assert (position_bias(votes).a_wins, position_bias(votes).decisive) == (2, 3)


def test_retractions_and_repeated_votes() -> None:
    again = ballot(3, "b", battle_id="battle-1")
    rows = [ballot(1), ballot(2, battle_id="battle-1", retracts="1"), again, ballot(4), ballot(5, retracts="4")]
    assert effective_votes(rows) == [again]
    twice = [ballot(1), ballot(2, "b", battle_id="battle-1")]
    assert effective_votes(twice) == twice[1:]
    stages = [ballot(1), ballot(2, battle_id="battle-1", stage="reasoning")]
    assert effective_votes(stages) == stages


def test_groups_and_days() -> None:
    votes = [ballot(1, language="zh"), ballot(30, "b", language="en"), ballot(2, "tie", language="zh")]
    assert {name: rate.votes for name, rate in win_rates_by(votes, lambda v: v.language).items()} == {"zh": 2, "en": 1}
    days = over_time(votes)
    assert [(day.day, day.votes, day.so_far.votes) for day in days] == [
        (date(2026, 1, 2), 1, 1),
        (date(2026, 1, 3), 2, 3),
    ]


@given(ballots)
def test_swapping_the_models_mirrors_the_rate(votes: Sequence[Ballot]) -> None:
    mirrored = [ballot(n, v.verdict, "base" if v.a_role == "distilled" else "distilled") for n, v in enumerate(votes)]
    ours, theirs = win_rate(votes).rate, win_rate(mirrored).rate
    assert (ours is None and theirs is None) or ours == pytest.approx(1 - theirs)


@given(ballots)
def test_counts_add_up(votes: Sequence[Ballot]) -> None:
    rate = win_rate(votes)
    assert rate.votes == len(votes) == sum(g.votes for g in win_rates_by(votes, lambda v: v.verdict).values())
    if rate.interval is not None and rate.rate is not None:
        assert 0 <= rate.interval.low <= rate.rate <= rate.interval.high <= 1
    days = over_time(votes)
    assert sum(day.votes for day in days) == len(votes)
    assert [day.day for day in days] == sorted({day.day for day in days})
    assert not days or days[-1].so_far == rate


@given(ballots, st.data())
def test_retracting_is_as_if_never_cast(votes: list[Ballot], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from([v.row_id for v in votes]))) if votes else set()
    rows = votes + [ballot(10**6 + int(row_id), retracts=row_id) for row_id in gone]
    assert effective_votes(rows) == [vote for vote in votes if vote.row_id not in gone]


@given(st.integers(0, 500), st.integers(1, 500))
def test_more_trials_narrow_the_interval(successes: int, trials: int) -> None:
    successes = min(successes, trials)
    narrow, wide = wilson(4 * successes, 4 * trials), wilson(successes, trials)
    assert narrow is not None and wide is not None
    assert narrow.high - narrow.low < wide.high - wide.low


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many rivers?", "en"),
        ("中国第二长的河是什么?", "zh"),
        ("解释 Python 里的 await asyncio.sleep() 为什么卡住", "zh"),
        ("Translate 水 into English, please, and explain it", "en"),
        ("長江はどこですか", "other"),
        ("Сколько рек?", "other"),
        ("2 + 2 = ?", "other"),
        ("", "other"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert detect_language(text) == language
