"""The preference model on a million votes, against the same regression with statsmodels' own clustered errors, and
against LMArena's arena-rank where uv can install it."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.discrete.discrete_model import Logit

from bench.context import Bench
from bench.report import Measure, Section
from insights.preference import PreferenceModel, fit_preference
from insights.simulation import simulate

VERSION = "0.1.1"


def run(bench: Bench) -> Section:
    votes = 20_000 if bench.quick else 1_000_000
    design = simulate(np.random.default_rng(0), votes, visitors=votes // 20, prompts=votes // 50)
    fit_preference(simulate(np.random.default_rng(1), 1000))  # warm-up: imports count for neither
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
    ours = np.log([effect.odds_ratio for effect in model.effects[:2]])
    measures = [
        Measure("both models fitted", seconds, "s", peer, "statsmodels with two-way clustered errors", most=2.0),
        Measure("largest difference of an effect", float(abs(ours - theirs.params[1:]).max()), "log odds"),
    ]
    notes = [f"{votes:,} simulated votes by {votes // 20:,} visitors on {votes // 50:,} prompts."]
    try:
        rank = arena_rank(design.outcome, matrix[:, 1:])
    except (OSError, subprocess.SubprocessError) as error:
        notes.append(f"arena-rank could not be run: {error}.")
    else:
        apart = float(abs(ours - np.array(rank["effects"])).max())
        measures += [
            Measure("both models fitted", seconds, "s", rank["seconds"], "arena-rank: one model, errors not clustered"),
            Measure("largest difference of an effect from arena-rank's", apart, "log odds"),
        ]
    return Section("Preference model", measures, notes)


def arena_rank(outcome: NDArray[np.float64], features: NDArray[np.float64]) -> dict[str, Any]:
    """arena-rank's time and effects, measured in an environment created by uv. Raises OSError or SubprocessError."""
    uv = [
        sys.executable,
        "-m",
        "uv",
        "run",
        "--quiet",
        "--isolated",
        "--no-project",
        "--with",
        "arena-rank==" + VERSION,
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.npz"
        np.savez(path, outcome=outcome, features=features)
        script = Path(__file__).with_name("peer_rank.py")
        done = subprocess.run(
            [*uv, "python", str(script), str(path)],
            cwd=folder,
            timeout=600,
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
