"""The preference model: planted effects come back, its intervals hold what they promise, and it says when it cannot."""

import math
from dataclasses import replace

import numpy as np
import pytest

from insights.preference import MIN_VOTES, NotEnough, PreferenceModel, fit_preference
from insights.simulation import simulate
from insights.style import Design, build_design, count_marks, ratio
from tests.insights.helpers import make_reply, make_vote


def fit(design: Design) -> PreferenceModel:
    model = fit_preference(design)
    assert isinstance(model, PreferenceModel)
    return model


def expected_share(preference: float, spread: float, ties: float) -> float:
    """Of the distilled model at equal style, over visitors and prompts; ties count one half."""
    leaning = np.random.default_rng(1).normal(0, spread * math.sqrt(2), 200_000)
    return float((1 - ties) * (1 / (1 + np.exp(-(preference + leaning)))).mean() + ties / 2)


def test_planted_effects_are_recovered() -> None:
    model = fit(simulate(np.random.default_rng(0), 40_000, visitors=2000, prompts=2000))
    effects = {effect.name: effect for effect in model.effects}
    assert set(effects) == {"position", "answer_length"}, "differences that never vary are left out"
    truth = expected_share(0.3, 0.4, 0.15)
    assert model.controlled.low < truth < model.controlled.high and model.controlled.decided
    assert abs(model.controlled.share - truth) < 0.015
    assert model.raw.share > model.controlled.share + 0.03, "longer answers help the distilled model"
    # Ties and leanings pull an effect towards zero; by how much they do is known here.
    assert 1.08 < effects["position"].odds_ratio < 1.25 and effects["position"].p_value < 0.001
    assert 1.6 < effects["answer_length"].odds_ratio < 2.2
    gap = math.log(model.raw.share / (1 - model.raw.share)) - math.log(
        model.controlled.share / (1 - model.controlled.share)
    )
    assert sum(effect.moved for effect in model.effects) == pytest.approx(gap, abs=1e-6)
    assert effects["answer_length"].moved > 10 * abs(effects["position"].moved)


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    rng, truth, rounds = np.random.default_rng(7), expected_share(0.3, 0.4, 0.15), 150
    models = [fit(simulate(rng, 600)) for _ in range(rounds)]
    held = sum(model.controlled.low <= truth <= model.controlled.high for model in models)
    assert 0.89 * rounds <= held <= 0.995 * rounds, "95 %, give or take three standard errors of this count"


@pytest.mark.parametrize("votes", [50, 100])
def test_with_the_fewest_visitors_and_prompts_no_interval_is_narrower_than_for_independent_votes(votes: int) -> None:
    rng, truth, rounds, held = np.random.default_rng(11), expected_share(0.3, 0.0, 0.15), 150, 0
    for _ in range(rounds):
        model = fit_preference(simulate(rng, votes, visitors=10, prompts=10, spread=0.0))
        if isinstance(model, PreferenceModel):
            assert model.raw.high - model.raw.low > 0.8 * 2 * 1.96 * math.sqrt(0.2 / votes)
            held += model.controlled.low <= truth <= model.controlled.high
    assert held >= 0.92 * rounds


def test_votes_that_even_out_for_every_visitor_and_prompt_are_no_certainty() -> None:
    visitors, prompts = (codes.ravel() for codes in np.indices((10, 10)))
    design = replace(
        simulate(np.random.default_rng(12), 100),
        outcome=((visitors + prompts) % 2).astype(float),
        visitors=visitors,
        prompts=prompts,
    )
    model = fit(design)
    assert model.raw.share == pytest.approx(0.5) and model.raw.high - model.raw.low > 0.15
    assert not model.raw.decided
    assert all(effect.low < effect.high and not math.isnan(effect.p_value) for effect in model.effects)


def test_without_any_preference_it_rarely_claims_one() -> None:
    rng = np.random.default_rng(8)
    claims = sum(fit(simulate(rng, 500, preference=0.0)).controlled.decided for _ in range(100))
    assert claims <= 12


def test_one_visitor_s_many_votes_are_not_many_opinions() -> None:
    design = simulate(np.random.default_rng(3), 2000, visitors=20, spread=1.0)
    apart = replace(design, visitors=np.arange(2000), prompts=np.arange(2000))
    clustered, naive = fit(design).controlled, fit(apart).controlled
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_the_errors_are_those_of_statsmodels() -> None:
    from statsmodels.discrete.discrete_model import Logit

    design = simulate(np.random.default_rng(4), 1500)
    matrix = np.column_stack([np.ones(1500), design.differences["position"], design.differences["answer_length"]])
    both = np.column_stack([design.visitors, design.prompts])
    theirs = [
        Logit(design.outcome, matrix).fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": groups, "df_correction": False}
        )
        for groups in (both, design.visitors, design.prompts, np.arange(1500))
    ]
    ours = fit(design)
    for number, effect in enumerate(ours.effects, start=1):
        half = (math.log(effect.high) - math.log(effect.low)) / 2
        errors = [fitted.bse[number] for fitted in theirs]
        assert half == pytest.approx(2.0009953 * max(errors), rel=0.01)  # Student's t with 59 degrees of freedom


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: simulate(np.random.default_rng(5), MIN_VOTES - 1), f"of {MIN_VOTES}"),
        (lambda d: replace(d, visitors=np.zeros(len(d), dtype=np.int64)), "1 visitors"),
        (lambda d: replace(d, outcome=np.ones(len(d))), "say the same"),
        (
            lambda d: replace(d, outcome=(d.differences["position"] > 0).astype(float)),
            "cannot be told",
        ),
    ],
)
def test_it_says_why_there_is_no_model(change, words: str) -> None:  # type: ignore[no-untyped-def]
    answer = fit_preference(change(simulate(np.random.default_rng(5), 300)))
    assert isinstance(answer, NotEnough) and words in answer.sentence


def test_how_many_more_votes_it_takes() -> None:
    rng = np.random.default_rng(6)
    assert fit(simulate(rng, 5000, preference=1.0)).more_votes == 0
    undecided = [model for _ in range(12) if not (model := fit(simulate(rng, 200, preference=0.0))).controlled.decided]
    assert len(undecided) > 6 and all(model.more_votes is None or model.more_votes > 0 for model in undecided)
    # The closer the estimate is to one half, the more it takes.
    by_distance = sorted(undecided, key=lambda model: abs(model.controlled.share - 0.5))
    assert (by_distance[0].more_votes or 10**9) > (by_distance[-1].more_votes or 0)


def test_a_vote_becomes_numbers() -> None:
    distilled = make_reply("distilled", "# One\n- two\n- three\n**four**", tokens=30, thought_tokens=50)
    base = make_reply("base", "plain", tokens=10, thought_tokens=0)
    votes = [
        make_vote("a", distilled=distilled, base=base),
        make_vote("a", distilled=distilled, base=base, a_role="base", stage="reasoning", visitor="w"),
        make_vote("tie", distilled=distilled, base=base, mode="named", prompt="what is  2 + 2?", language="zh"),
    ]
    design = build_design(votes, topics=lambda vote: "sums")
    assert design.outcome.tolist() == [1.0, 0.0, 0.5]
    assert design.differences["position"].tolist() == [1.0, -1.0, 0.0]
    assert design.differences["answer_length"].tolist() == [0.5] * 3
    assert design.differences["thought_length"].tolist() == [0.0, 1.0, 0.0], "a hidden thought moves nobody"
    assert [design.differences[name][0] for name in ("headers", "lists", "bold")] == [1.0, 1.0, 1.0]
    assert design.visitors.tolist() == [0, 1, 0] and design.prompts.tolist() == [0, 0, 0]
    assert design.levels["language"] == ["en", "zh"] and design.levels["topic"] == ["sums"]


def test_code_is_not_markdown() -> None:
    text = "Run it:\n```sh\n# a comment\n- no list\n```\n* one\n1. two\n__bold__ and **bold**"
    assert count_marks(text) == {"headers": 0, "lists": 2, "bold": 2}
    assert (ratio(3, 1), ratio(0, 0), ratio(0, 2)) == (0.5, 0.0, -1.0)
