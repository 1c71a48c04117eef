"""Votes for the tests of insights, as the store holds them."""

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
