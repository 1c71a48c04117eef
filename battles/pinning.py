"""A finished battle made a case study, once its names are known."""

from battles.battle import reply_of as shown_reply
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
from votes.desk import Desk
from votes.shown import SharedBattle


def pin_from_battle(desk: Desk, text: str, note: str) -> Case:
    """Pin a finished battle's last question with both replies, once its names are known to the public.

    Pinning it again changes the note and adds nothing else. Raises ConfigError while the names are hidden.
    """
    battle_id = text.strip().rsplit("battle=", 1)[-1].split("&")[0]
    found = desk.load_battle(battle_id)
    if found.reveal is None or not found.turns:
        raise ConfigError("The names of this battle are still hidden.", "Vote on it and show the names first.")
    turns = len(found.turns)
    origin = f"battle {battle_id}" + (f", question {turns} of {turns}" if turns > 1 else "")
    case, sides = pin(found.turns[-1].prompt, note=note, origin=origin), battle_sides(found)
    if all(run.sides != sides for run in runs_of(case.key)):
        keep_run(new_run(case, found.pair, None, sides, "pinned"))
    return case


def battle_sides(found: SharedBattle) -> dict[Role, SideRun]:
    """The replies of a battle's last turn, by model."""
    turn, reveal = found.turns[-1], found.reveal
    if reveal is None:
        return {}
    each = ((reveal.a, turn.a), (reveal.b, turn.b))
    return {facts.role: SideRun(facts.model, facts.model, shown_reply(r), facts.weight_hash) for facts, r in each}
