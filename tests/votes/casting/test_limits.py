"""Who counts as one visitor, how much one may do, and what text is accepted."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ArenaError, ConfigError
from tests.votes.helpers import Clock
from votes import errors
from votes import visitor as visitors
from votes.casting.limits import RATES, Rate, RateLimiter, clean_text
from votes.errors import TextRefused, TooOften
from votes.visitor import load_salt, network, visitor_hash


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "[2001:db8:1:2::9]", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", "", True),
        ("testclient", "192.0.2.1", False),
    ],
)
def test_who_is_one_visitor(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_nobody_gets_more_by_choosing_the_end_of_an_address(prefix: int, one: int, other: int) -> None:
    def address(host: int) -> str:
        text = f"{prefix << 64 | host:032x}"
        return ":".join(text[start : start + 4] for start in range(0, 32, 4))

    if not address(one).startswith("0000:0000:0000:0000:0000:ffff"):
        assert visitor_hash(b"salt", network(address(one))) == visitor_hash(b"salt", network(address(other)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=80))
def test_no_window_holds_more_than_the_limits(calls: list[tuple[int, int]]) -> None:
    clock, taken = Clock(), list[tuple[float, str]]()
    limiter = RateLimiter({"vote": Rate(3, 7, 60.0)}, clock)
    for visitor, seconds in calls:
        clock.now += seconds
        try:
            limiter.take("vote", str(visitor))
        except TooOften:
            window = Counter(who for at, who in taken if at > clock.now - 60)
            assert window[str(visitor)] >= 3 or window.total() >= 7
        else:
            taken.append((clock.now, str(visitor)))
        window = Counter(who for at, who in taken if at > clock.now - 60)
        assert window.total() <= 7 and max(window.values(), default=0) <= 3


def test_one_visitor_cannot_use_up_what_is_for_all() -> None:
    limiter = RateLimiter(RATES, Clock())
    for action, rate in RATES.items():
        for _ in range(10 * rate.in_total):
            try:
                limiter.take(action, "greedy")
            except TooOften:
                continue
        for number in range(200):
            limiter.take(action, f"visitor {number}")


@given(st.text(max_size=60))
def test_text_is_accepted_as_it_is_or_refused_in_words(text: str) -> None:
    try:
        clean = clean_text(text, 50, "comment")
    except TextRefused as error:
        assert str(error).startswith("The comment")
    else:
        assert clean == clean.strip() == clean_text(clean, 50, "comment")
        clean.encode()


def test_errors_of_voting_are_errors_of_ours() -> None:
    kinds = (errors.UnknownBattle, errors.Refused, errors.TextRefused, errors.TooOften, errors.StoreError)
    assert all(issubclass(kind, errors.VoteError) and issubclass(kind, ArenaError) for kind in kinds)
    assert str(errors.Refused("No.", "Try later.")) == "No. Try later."
    assert str(TooOften("Too many.", 0.2)) == "Too many. Please try again in 1 s."


def test_the_salt_is_made_once(tmp_path: Path) -> None:
    salt = load_salt(tmp_path / "home")
    assert len(salt) == 32 and load_salt(tmp_path / "home") == salt
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["visitor.salt"]


def test_an_installation_may_have_its_salt_from_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_SALT", "one secret for every replica")
    assert len(load_salt(tmp_path / "a")) == 32 and load_salt(tmp_path / "a") == load_salt(tmp_path / "b")
    assert not (tmp_path / "a").exists()
    monkeypatch.setenv("JOURNEY_SALT", "")
    assert load_salt(tmp_path / "a") != load_salt(tmp_path / "b")


def test_who_starts_together_gets_one_salt_also_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", None)
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(load_salt, [tmp_path / "home"] * 32))) == 1


def test_a_salt_that_a_crash_left_empty_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "WRITING_SECONDS", 0.0)
    (tmp_path / "visitor.salt").touch()
    assert len(load_salt(tmp_path)) == 32 and load_salt(tmp_path) == load_salt(tmp_path)


@pytest.mark.parametrize("home", ["a file", "below a file", "a salt that is a folder"])
def test_a_home_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "odd" / "visitor.salt").mkdir(parents=True)
    folder = {"a file": "file", "below a file": "file/home", "a salt that is a folder": "odd"}[home]
    with pytest.raises(ConfigError, match="JOURNEY_HOME"):
        load_salt(tmp_path / folder)
