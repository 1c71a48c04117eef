"""Simulated votes with known effects, to check the preference model and see how many votes a difference needs."""

import numpy as np

from insights.style import DIFFERENCES, Design


def simulate(
    rng: np.random.Generator,
    votes: int,
    *,
    visitors: int = 60,
    prompts: int = 60,
    preference: float = 0.3,
    position: float = 0.2,
    length: float = 0.8,
    spread: float = 0.4,
    ties: float = 0.15,
) -> Design:
    """Votes from a logistic model with these log odds, and with random effects for visitors and prompts."""
    visitor, prompt = rng.integers(visitors, size=votes), rng.integers(prompts, size=votes)
    differences = {name: np.zeros(votes) for name in DIFFERENCES}
    differences["position"] = rng.choice([-1.0, 1.0], size=votes)
    differences["answer_length"] = np.clip(rng.normal(0.3, 0.3, votes), -1, 1)
    log_odds = (
        preference
        + position * differences["position"]
        + length * differences["answer_length"]
        + rng.normal(0, spread, visitors)[visitor]
        + rng.normal(0, spread, prompts)[prompt]
    )
    outcome = (rng.random(votes) < 1 / (1 + np.exp(-log_odds))).astype(float)
    outcome[rng.random(votes) < ties] = 0.5
    return Design(outcome, differences, visitor, prompt)
