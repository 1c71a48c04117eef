"""What the tests of votes share: a clock that is set by hand, replies, a battle played to its first answers."""

from votes.ballot import RecordedReply, Role
from votes.casting.desk import Desk
from votes.casting.limits import Action, Rate

FREE: dict[Action, Rate] = {action: Rate(10**6, 10**6) for action in ("battle", "turn", "vote")}


class Clock:
    """Unix time as the test says."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def make_replies(answer: str = "an answer", **fields: object) -> dict[Role, RecordedReply]:
    roles: tuple[Role, ...] = ("base", "distilled")
    return {
        role: RecordedReply(
            role=role,
            model=f"{role}-model",
            weight_hash=f"{role}-hash",
            thought=f"thought of {role}",
            answer=f"{answer} of {role}",
            raw=f"<think>thought of {role}</think>{answer} of {role}",
            thought_tokens=7,
            answer_tokens=3,
            **fields,
        )
        for role in roles
    }


def play(desk: Desk, visitor: str = "visitor", **options: object) -> str:
    """A battle with one finished turn."""
    battle_id = desk.open(visitor, pair="pair", **options)
    turn_id = desk.begin_turn(battle_id, visitor, "What is 2 + 2?")
    assert desk.finish_turn(battle_id, turn_id, make_replies())
    return battle_id
