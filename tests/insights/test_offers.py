"""Questions to offer: drawn where the votes tell least, the same again from the same seed, and recorded."""

from collections import Counter

import numpy as np
import pytest

from eval.problems.benchmark import Benchmark
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from insights.offers import POLICY, Candidate, Known, count_asked, draw, problem_candidates, what_is_known
from insights.preference import preference_by
from insights.style import build_design
from tests.insights.helpers import make_vote
from votes.ballot import Vote

CANDIDATES = [Candidate(kind, f"{kind} {n}") for kind in ("sums", "plans", "poems") for n in range(4)]


def votes_on(kind: str, count: int, wins: float, questions: int = 4) -> list[Vote]:
    return [
        make_vote(
            "a" if n < wins * count else "b",
            prompt=f"{kind} {n % questions}",
            battle=f"{kind}{n}",
            visitor=f"v{n % 20}",
        )
        for n in range(count)
    ]


def test_without_votes_every_kind_is_as_unknown() -> None:
    known = what_is_known([], CANDIDATES)
    assert known == dict.fromkeys(("sums", "plans", "poems"), Known(0, 1.0))
    drawn = Counter(offer.kind for seed in range(300) if (offer := draw(CANDIDATES, known, {}, seed)))
    assert all(60 < drawn[kind] < 140 for kind in ("sums", "plans", "poems"))


def test_the_kind_with_the_widest_interval_is_drawn_and_in_it_what_was_asked_least() -> None:
    votes = votes_on("sums", 8, 0.5) + votes_on("plans", 6, 0.5, questions=2) + votes_on("poems", 30, 0.5)
    known = what_is_known(votes, CANDIDATES)
    assert known["plans"].votes == 6 and known["plans"].width > known["sums"].width == known["poems"].width, (
        "six votes on two questions tell less than eight on four; thirty on four no more than eight"
    )
    offers = [draw(CANDIDATES, known, count_asked(votes), seed) for seed in range(40)]
    assert {offer.question for offer in offers if offer} == {"plans 2", "plans 3"}
    (offer, again) = (draw(CANDIDATES, known, count_asked(votes), 7) for _ in range(2))
    assert offer == again and offer is not None
    assert (offer.policy, offer.seed, offer.votes) == (POLICY, 7, 6)
    assert offer.width == pytest.approx(known["plans"].width, abs=1e-4)


def test_the_models_interval_counts_where_it_is_the_wider_one() -> None:
    kinds = ("sums", "plans")
    votes = [vote for kind in kinds for vote in votes_on(kind, 120, 0.5, questions=60)]
    votes += votes_on("poems", 12, 0.5, questions=12)
    candidates = [Candidate(kind, f"{kind} {n}") for kind in (*kinds, "poems") for n in range(60)]
    modelled = preference_by(build_design(votes, lambda vote: vote.turns[0].prompt.split()[0]), "topic")
    known = what_is_known(votes, candidates)
    for kind in (*kinds, "poems"):
        assert known[kind].width >= modelled[kind].high - modelled[kind].low - 1e-9
    assert known["poems"].width > known["sums"].width


def test_the_preference_of_each_level_is_that_of_its_votes() -> None:
    rng = np.random.default_rng(5)
    votes = [
        make_vote(
            "a" if rng.random() < (0.8 if n % 2 else 0.4) else "b",
            prompt=f"{n % 80}",
            battle=str(n),
            visitor=str(n % 50),
        )
        for n in range(800)
    ]
    by = preference_by(build_design(votes, lambda vote: "odd" if int(vote.turns[0].prompt) % 2 else "even"), "topic")
    assert by["odd"].low < 0.8 < by["odd"].high and by["even"].low < 0.4 < by["even"].high
    assert preference_by(build_design(votes), "topic") == {} == preference_by(build_design(votes[:9]), "language")


def test_votes_count_only_where_they_are_blind_first_and_stand() -> None:
    votes = [
        make_vote(prompt="sums 1", battle="a", mode="named"),
        make_vote(prompt="sums 1", battle="b", stage="reasoning"),
        make_vote(prompt="something else", battle="c"),
        make_vote(prompt=" SUMS  1", battle="d"),
    ]
    known = what_is_known(votes, CANDIDATES)
    assert known["sums"].votes == 1 and known["plans"] == Known(0, 1.0)


def test_problems_are_offered_as_runs_ask_them_and_nothing_is_drawn_from_nothing() -> None:
    problem = Problem("toy/1", "What is 2 + 2?", "4", "toy", "sums")
    judged = Benchmark("judged", (Problem("j/1", "Be kind.", "", "judged"),), "", "", "judged")
    plain = Benchmark("plain", (Problem("p/1", "Why?", "1", "plain"),), "", "")
    candidates = problem_candidates([Benchmark("toy", (problem,), "", "", "math", "Toy set"), judged, plain])
    assert candidates[0] == Candidate("Toy set, sums", maths_prompt(problem)) and candidates[1].kind == "plain"
    assert len(candidates) == 2
    known = what_is_known([make_vote(prompt="What is 2 + 2?")], candidates)
    assert known["Toy set, sums"].votes == 1, "asked without the instruction, it is the same question"
    assert draw([], {}, {}, 1) is None
