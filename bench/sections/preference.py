"""The preference model on a million votes, against the same regression with statsmodels' own clustered errors."""

import time

import numpy as np
from statsmodels.discrete.discrete_model import Logit

from bench.context import Bench
from bench.report import Measure, Section
from insights.preference import PreferenceModel, fit_preference
from insights.simulation import simulate


def run(bench: Bench) -> Section:
    votes = 20_000 if bench.quick else 1_000_000
    design = simulate(np.random.default_rng(0), votes, visitors=votes // 20, prompts=votes // 50)
    fit_preference(simulate(np.random.default_rng(1), 1000))  # imports count for neither
    begun = time.perf_counter()
    model = fit_preference(design)
    seconds = time.perf_counter() - begun
    assert isinstance(model, PreferenceModel)
    matrix = np.column_stack([np.ones(votes), design.differences["position"], design.differences["answer_length"]])
    begun = time.perf_counter()
    for columns in (matrix[:, :1], matrix):
        theirs = Logit(design.outcome, columns).fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": np.column_stack([design.visitors, design.prompts])}
        )
    peer = time.perf_counter() - begun
    apart = abs(np.log(model.effects[1].odds_ratio) - theirs.params[2])
    return Section(
        "Preference model",
        [
            Measure("both models fitted", seconds, "s", peer, "statsmodels with two-way clustered errors"),
            Measure("largest difference of an effect", float(apart), "log odds"),
        ],
        [f"{votes:,} simulated votes by {votes // 20:,} visitors on {votes // 50:,} prompts."],
    )
