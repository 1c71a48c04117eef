"""Make a finished battle a case study, once its names are known."""

from battles.battle import reply_of
from common.errors import ConfigError
from models.config.registry import Role
from traces.cases.cases import (
    Case,
    SideRun,
    keep_run,
    new_run,
    pin,
    runs_of,
)
from votes.casting.desk import Desk
from votes.casting.views import SharedBattle
from votes.takedown import battle_id_of


def pin_from_battle(desk: Desk, text: str, note: str) -> Case:
    """Pin a finished battle's last question with both replies, once its names are public.

    Pinning it again changes the note and adds nothing else. ConfigError while the names are hidden.
    """
    battle_id = battle_id_of(text)
    battle = desk.load_battle(battle_id)
    if battle.reveal is None or not battle.turns:
        raise ConfigError("The names of this battle are still hidden.", "Vote on it and show the names first.")
    turns = len(battle.turns)
    origin = f"battle {battle_id}" + (f", question {turns} of {turns}" if turns > 1 else "")
    case, sides = pin(battle.turns[-1].prompt, note=note, origin=origin), battle_sides(battle)
    if all(run.sides != sides for run in runs_of(case.key)):
        keep_run(new_run(case, battle.pair, None, sides, "pinned"))
    return case


def battle_sides(battle: SharedBattle) -> dict[Role, SideRun]:
    """The replies of a battle's last turn, by model."""
    turn, reveal = battle.turns[-1], battle.reveal
    if reveal is None:
        return {}
    each = ((reveal.a, turn.a), (reveal.b, turn.b))
    return {facts.role: SideRun(facts.model, facts.model, reply_of(r), facts.weight_hash) for facts, r in each}
