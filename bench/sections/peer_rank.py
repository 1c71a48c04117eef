"""LMArena's arena-rank on votes from a file: how long its model with covariates takes, and its effects.

Run by `bench.sections.preference` through uv in a separate environment, since arena-rank and the page need incompatible
versions of numpy. Imports nothing from this project. `python peer_rank.py VOTES.npz`
"""

import json
import sys
import time

import jax.numpy as jnp
import numpy as np
from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
from arena_rank.utils.data_utils import ContextualPairDataset


def fit(outcome: np.ndarray, features: np.ndarray) -> tuple[float, list[float]]:
    """Seconds to fit ratings, effects and sandwich intervals, and the effects (log odds per unit)."""
    begun = time.perf_counter()
    votes = ContextualPairDataset(
        competitors=["distilled", "base"],
        pairs=jnp.tile(jnp.array([[0, 1]], dtype=jnp.int32), (len(outcome), 1)),
        outcomes=jnp.array(outcome),
        features=jnp.array(features),
        weights=jnp.ones(len(outcome)),
    )
    model = ContextualBradleyTerry(n_competitors=2, n_features=features.shape[1], reg=0.0)
    result = model.compute_ratings_and_cis(votes)
    effects = [float(value) for value in result["coeffs"]]
    return time.perf_counter() - begun, effects


if __name__ == "__main__":
    data = np.load(sys.argv[1])
    fit(data["outcome"][:1000], data["features"][:1000])  # warm-up: imports and compilation count for neither
    seconds, effects = fit(data["outcome"], data["features"])
    print(json.dumps({"seconds": seconds, "effects": effects}))
