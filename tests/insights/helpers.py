"""Votes for the tests of insights: rows as the store holds them, and simulated designs with planted effects."""

import numpy as np

from insights.style import DIFFERENCES, Design
from votes.ballot import RecordedReply, Role, Stage, Turn, Verdict, Vote


def make_reply(role: Role, answer: str, tokens: int = 10, thought_tokens: int = 0) -> RecordedReply:
    return RecordedReply(
        role, f"{role}-model", "hash", answer=answer, raw=answer, answer_tokens=tokens, thought_tokens=thought_tokens
    )


def make_vote(
    verdict: Verdict = "a",
    *,
    prompt: str = "What is 2 + 2?",
    base: RecordedReply | None = None,
    distilled: RecordedReply | None = None,
    a_role: Role = "distilled",
    stage: Stage = "answers",
    battle: str = "battle",
    **fields: object,
) -> Vote:
    """A vote on one turn. The battle and the stage make its row id."""
    base = base or make_reply("base", "5")
    distilled = distilled or make_reply("distilled", "4")
    a, b = (distilled, base) if a_role == "distilled" else (base, distilled)
    values: dict[str, object] = {
        "row_id": f"{battle}-{stage}", "battle_id": battle, "voted_at": "2026-01-01T00:00:00.000+00:00",
        "visitor": "v", "pair": "pair", "stage": stage, "verdict": verdict, "a_role": a_role, "mode": "blind",
        "delivery": "together", "language": "en", "retracts": "", "reasoning_seen": stage == "reasoning",
        "reasons": (), "comment": "", "base_model": "base", "base_weight_hash": "", "distilled_model": "distilled",
        "distilled_weight_hash": "", "sampling": {}, "seed": None, "seconds_to_vote": 1.0, "app_version": "0",
        "turns": (Turn(prompt, a, b),),
    }  # fmt: skip
    return Vote(**{**values, **fields})  # type: ignore[arg-type]


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
    """Votes by a logistic model with these log odds; every visitor and every prompt has a leaning of its own."""
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
