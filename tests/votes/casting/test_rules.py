"""The desk against a model of its rules: any order of calls, by the owner and by a stranger, with time passing."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.votes.helpers import FREE, Clock, make_replies
from votes.ballot import BattleRecord, RevealRecord, Row, Stage, Verdict, Vote
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.errors import Refused, UnknownBattle
from votes.ranking import effective_votes

STAGES: list[Stage] = ["answers", "reasoning"]
VERDICTS: list[Verdict] = ["a", "b", "tie", "both_bad"]


class Rows:
    """A store in memory, enough for rules; the real one has its own tests."""

    notice = ""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def append(self, row: Row) -> None:
        self.rows.append(row)

    def battle(self, battle_id: str) -> BattleRecord | None:
        found = [row for row in self.rows if isinstance(row, BattleRecord) and row.battle_id == battle_id]
        return found[-1] if found else None

    def votes_of(self, battle_id: str) -> list[Vote]:
        return [row for row in self.rows if isinstance(row, Vote) and row.battle_id == battle_id]

    def reveal_of(self, battle_id: str) -> RevealRecord | None:
        found = [row for row in self.rows if isinstance(row, RevealRecord) and row.battle_id == battle_id]
        return found[0] if found else None

    def is_hidden(self, battle_id: str) -> bool:
        return False


class OneBattle(RuleBasedStateMachine):
    """What a visitor may do in one blind battle."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.clock = Rows(), Clock()
        self.restart()
        self.battle = self.desk.open("owner", pair="pair")
        self.turn = ""
        self.turns = 0
        self.standing: dict[Stage, tuple[Verdict, float]] = {}
        self.revealed = False

    def attempt(self, allowed: bool, call: object) -> Any:
        """The call succeeds exactly when the model says so."""
        assert callable(call)
        try:
            result = call()
        except Refused:
            assert not allowed
            return None
        assert allowed
        return result

    @precondition(lambda self: self.turns and not self.turn)
    @rule()
    def restart(self) -> None:
        self.desk = Desk(self.store, limits=Limits(rates=FREE, gesture_seconds=0.0), clock=self.clock)

    @rule(seconds=st.sampled_from([1.0, 25.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(again=st.booleans())
    def begin(self, again: bool) -> None:
        allowed = not (self.turn or self.standing or self.revealed)
        allowed = allowed and (self.turns > 0 if again else self.turns < 12)
        call = self.desk.reopen_turn if again else lambda b, v: self.desk.begin_turn(b, v, "question")
        turn = self.attempt(allowed, lambda: call(self.battle, "owner"))
        if turn:
            self.turn, self.turns_after = str(turn), self.turns + (not again)

    @precondition(lambda self: self.turn)
    @rule(end=st.sampled_from(["finish", "fail", "abandon"]))
    def end(self, end: str) -> None:
        if end == "abandon":
            self.desk.abandon_turn(self.battle, self.turn)
        else:
            replies = make_replies(finish_reason="stop" if end == "finish" else "failed")
            assert self.desk.finish_turn(self.battle, self.turn, replies) is (end == "finish")
        self.turns, self.turn = self.turns_after if end == "finish" else self.turns, ""

    @rule(stage=st.sampled_from(STAGES), verdict=st.sampled_from(VERDICTS))
    def cast(self, stage: Stage, verdict: Verdict) -> None:
        allowed = bool(self.turns) and not self.turn and not self.revealed and stage not in self.standing
        allowed = allowed and (stage == "answers" or "answers" in self.standing)
        repeated = not self.revealed and self.standing.get(stage, ("", 0))[0] == verdict
        receipt = self.attempt(allowed or repeated, lambda: self.desk.cast(self.battle, "owner", stage, verdict))
        assert receipt is None or receipt.repeated is repeated
        if receipt and not repeated:
            self.standing[stage] = (verdict, self.clock.now)

    @rule()
    def undo(self) -> None:
        stage: Stage = "reasoning" if "reasoning" in self.standing else "answers"
        allowed = stage in self.standing and not self.revealed and self.clock.now <= self.standing[stage][1] + 60
        if self.attempt(allowed, lambda: self.desk.undo(self.battle, "owner")):
            del self.standing[stage]

    @rule(forfeit=st.booleans())
    def reveal(self, forfeit: bool) -> None:
        allowed = bool(self.turns) and not self.turn and (forfeit or self.revealed or "answers" in self.standing)
        call = self.desk.forfeit if forfeit else self.desk.reveal
        if self.attempt(allowed, lambda: call(self.battle, "owner")):
            self.revealed = True

    @precondition(lambda self: self.turns)
    @rule()
    def stranger(self) -> None:
        for call in (self.desk.undo, self.desk.reveal, self.desk.forfeit, self.desk.reopen_turn):
            try:
                call(self.battle, "stranger")
            except UnknownBattle:
                continue
            raise AssertionError("a stranger was let in")

    @invariant()
    def rows_say_the_same(self) -> None:
        standing = {vote.stage: vote.verdict for vote in effective_votes(self.store.votes_of(self.battle))}
        assert standing == {stage: verdict for stage, (verdict, _) in self.standing.items()}
        own = self.desk.mine(self.battle, "owner")
        assert own.running is bool(self.turn)
        votable = self.turns and not self.turn and not self.revealed and len(standing) < 2
        assert own.stage == (STAGES[len(standing)] if votable else None)
        if self.turns:
            shared = self.desk.load_battle(self.battle)
            assert (shared.reveal is not None) is self.revealed
            assert shared.verdicts == standing and len(shared.turns) == self.turns


OneBattle.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestOneBattle = OneBattle.TestCase
