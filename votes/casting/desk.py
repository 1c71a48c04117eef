"""The desk: the sole authority on battles and votes. It decides who may do what and when; the page only asks.

Every rule is enforced here, even against calls that did not come through the page, and against many threads at once.
The order of a blind battle:

    open → begin_turn → finish_turn → … → cast "answers" → [reasoning, cast "reasoning"] → reveal

* One vote a stage; the second needs the first. The latest vote can be undone for a short time, until the reveal.
* One gesture, one vote: a vote says which stage it is for. A repeat of a vote that stands, or the same verdict within
  `Limits.gesture_seconds` of the previous call, writes nothing and returns that vote's receipt.
* The reasoning is shown after a vote on the answers (or after it was forfeited). A first vote cast again after an undo
  is therefore marked `reasoning_seen`.
* The reveal needs a committed vote on the answers that still stands, or `forfeit`. Either closes the battle for good:
  no vote, undo or turn after it.
* In a named battle the names are known from the start: nothing is hidden, and the reveal closes nothing.
* After the vote and the reveal, `go_on` copies the conversation into a battle that takes turns but no votes.

Battles stay in memory for a bounded time and number. Those with a finished turn are found again in the store, so a
restart of the app loses no battle that could be voted on.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from votes.ballot import (
    BattleRecord,
    Delivery,
    Mode,
    RecordedReply,
    RevealRecord,
    Role,
    Side,
    Stage,
    Verdict,
    Vote,
)
from votes.casting.battles_in_memory import History, LiveBattles
from votes.casting.limits import Limits, RateLimiter, clean_prompt, clean_text
from votes.casting.rules import (
    LiveBattle,
    check_ballot,
    check_go_on,
    check_opening,
    check_reveal,
    check_turn,
    check_undo,
    check_vote,
    comparable,
    continued,
    finished,
    make_vote,
    new_battle,
    new_row_id,
    open_stage,
    shared_view,
    to_iso,
)
from votes.casting.views import OwnBattle, Receipt, Reveal, SharedBattle, names
from votes.errors import Refused, StoreError, UnknownBattle

_LOG = logging.getLogger(__name__)


class Desk:
    """Thread-safe. Every call with a `visitor` (a salted hash) raises UnknownBattle if the battle is not theirs."""

    def __init__(
        self,
        store: History,
        *,
        limits: Limits | None = None,
        app_version: str = "",
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._store = store
        self._version = app_version
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._rates = RateLimiter(self.limits.rates, clock)
        self._battles = LiveBattles(store, self.limits, clock)

    # battles and turns

    def open(
        self,
        visitor: str,
        *,
        pair: str,
        mode: Mode = "blind",
        delivery: Delivery = "together",
        sampling: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> str:
        """Start a battle and return its id. Blind sides are shuffled here; in a named battle, A is the base model.

        Refused for an unknown mode or delivery, TooOften beyond the rate limits.
        """
        check_opening(mode, delivery, seed)
        self._rates.take("battle", visitor)
        a_role: Role = "base" if mode != "blind" else self._rng.choice(get_args(Role))
        record = new_battle(visitor, pair, mode, delivery, a_role, dict(sampling or {}), seed, self._clock())
        self._battles.add(LiveBattle(record, touched=self._clock()))
        return record.battle_id

    def role_of(self, battle_id: str, side: Side) -> Role:
        """Which model this side is. For the server that asks the models; never for the page."""
        return self._battles.known(battle_id).record.role(side)

    def begin_turn(self, battle_id: str, visitor: str, prompt: str) -> str:
        """Announce the next question and return the turn's id. TextRefused, Refused or TooOften say why not."""
        text = clean_prompt(prompt, self.limits)
        with self._battles.locked(battle_id, visitor) as battle:
            check_turn(battle)
            if len(battle.record.turns) >= self.limits.turns:
                raise Refused(f"A battle has at most {self.limits.turns} turns.", "Vote, or start a new battle.")
            return self._start(battle, text, replaces_last=False)

    def reopen_turn(self, battle_id: str, visitor: str) -> str:
        """Begin the last turn again (regenerate, continue after a cut). Its replies stay until they are replaced."""
        with self._battles.locked(battle_id, visitor) as battle:
            check_turn(battle)
            if not battle.record.turns:
                raise Refused("There is no answer to regenerate yet.", "Ask a question first.")
            return self._start(battle, battle.record.turns[-1].prompt, replaces_last=True)

    def finish_turn(self, battle_id: str, turn_id: str, replies: Mapping[Role, RecordedReply]) -> bool:
        """Record both replies of a running turn. True if the battle can now be voted on.

        A turn that gives nothing to compare (`rules.comparable`) is dropped. A turn that was abandoned in the meantime
        changes nothing.
        """
        battle = self._battles.known(battle_id)
        with battle.lock:
            if battle.running is None or battle.running[0] != turn_id:
                return False
            prompt, battle.running = battle.running[1], None
            battle.touched = self._clock()
            if not comparable(battle.record, replies):
                return False
            battle.record = finished(battle, prompt, replies, battle.touched)
            battle.stored = self._keep(battle.record)
            return True

    def abandon_turn(self, battle_id: str, turn_id: str) -> None:
        """Give up a running turn: the battle is as it was before. Late replies to it are ignored."""
        battle = self._battles.known(battle_id)
        with battle.lock:
            if battle.running is not None and battle.running[0] == turn_id:
                battle.running = None

    def go_on(self, battle_id: str, visitor: str) -> str:
        """Continue a conversation after its vote, in a new battle; returns that battle's id.

        Refused before the vote and the reveal, TooOften beyond the rate limits.
        """
        with self._battles.locked(battle_id, visitor) as battle:
            check_go_on(battle)
            self._rates.take("battle", visitor)
            record = continued(battle.record, self._clock())
        self._battles.add(LiveBattle(record, touched=self._clock()))
        return record.battle_id

    # votes

    def cast(
        self,
        battle_id: str,
        visitor: str,
        stage: Stage,
        verdict: Verdict,
        reasons: tuple[str, ...] | list[str] = (),
        comment: str = "",
        licence: str = "",
    ) -> Receipt:
        """Take a vote. The receipt is given once the row is on disk; after a StoreError it may be cast again.

        `stage` is the one the page showed when the visitor clicked. A repeat writes nothing: see `Receipt.repeated`.
        """
        check_ballot(stage, verdict, reasons)
        comment = clean_text(comment, self.limits.comment_characters, "comment")
        with self._battles.locked(battle_id, visitor) as battle:
            if repeated := self._repeated(battle, stage, verdict):
                return repeated
            check_vote(battle, stage)
            self._rates.take("vote", visitor)
            vote = make_vote(
                battle,
                stage,
                verdict,
                reasons=tuple(dict.fromkeys(reasons)),
                comment=comment,
                licence=licence,
                now=self._clock(),
                app_version=self._version,
            )
            return self._commit(battle, vote)

    def undo(self, battle_id: str, visitor: str) -> Receipt:
        """Withdraw the latest vote that stands by adding a row, within the undo time and before the reveal."""
        with self._battles.locked(battle_id, visitor) as battle:
            vote = check_undo(battle, self._clock(), self.limits.undo_seconds)
            self._rates.take("vote", visitor)
            back = replace(vote, row_id=new_row_id(), voted_at=to_iso(self._clock()), retracts=vote.row_id)
            receipt = self._commit(battle, back)
            battle.gesture = None
            return receipt

    # what may be shown

    def reveal(self, battle_id: str, visitor: str) -> Reveal:
        """The names. Refused until a vote on the answers stands on disk. Closes a blind battle for good."""
        return self._reveal(battle_id, visitor, forfeit=False)

    def forfeit(self, battle_id: str, visitor: str) -> Reveal:
        """The names without a vote on the answers, which closes a blind battle for good."""
        return self._reveal(battle_id, visitor, forfeit=True)

    def standing(self, battle_id: str, visitor: str) -> dict[Stage, Verdict]:
        """The votes of this battle that stand."""
        with self._battles.locked(battle_id, visitor) as battle:
            return {stage: vote.verdict for stage, vote in battle.standing.items()}

    def mine(self, battle_id: str, visitor: str) -> OwnBattle:
        """A visitor's own battle as it stands, e.g. after a reload of the page."""
        with self._battles.locked(battle_id, visitor) as battle:
            return OwnBattle(
                battle_id=battle_id,
                shared=shared_view(battle) if battle.record.turns else None,
                stage=open_stage(battle),
                running=battle.running is not None,
                record=battle.record,
            )

    def load_battle(self, battle_id: str) -> SharedBattle:
        """A finished battle for anyone with its link, however old. Names and thoughts only if already shown."""
        battle = self._battles.public(battle_id)
        with battle.lock:
            if not battle.record.turns:
                raise UnknownBattle("This battle has no finished answer yet.")
            return shared_view(battle)

    # inside

    def _start(self, battle: LiveBattle, prompt: str, *, replaces_last: bool) -> str:
        self._rates.take("turn", battle.record.visitor)
        battle.running = (secrets.token_urlsafe(8), prompt)
        battle.replaces_last = replaces_last
        battle.touched = self._clock()
        return battle.running[0]

    def _repeated(self, battle: LiveBattle, stage: Stage, verdict: Verdict) -> Receipt | None:
        """The earlier vote's receipt, if this call only repeats it: the same gesture, or a vote that stands."""
        now = self._clock()
        if battle.gesture is not None:
            at, receipt = battle.gesture
            if receipt.verdict == verdict and now - at < self.limits.gesture_seconds:
                # A held key repeats as long as it is held, so each repeat restarts the window.
                battle.gesture = now, receipt
                return replace(receipt, repeated=True)
        vote = battle.standing.get(stage)
        if vote is None or vote.verdict != verdict or battle.reveal is not None:
            return None
        return replace(Receipt.of(vote, self._store.notice), repeated=True)

    def _commit(self, battle: LiveBattle, vote: Vote) -> Receipt:
        self._store.append(vote)
        battle.votes.append(vote)
        battle.touched = self._clock()
        receipt = Receipt.of(vote, self._store.notice)
        battle.gesture = battle.touched, receipt
        return receipt

    def _reveal(self, battle_id: str, visitor: str, *, forfeit: bool) -> Reveal:
        with self._battles.locked(battle_id, visitor) as battle:
            check_reveal(battle, forfeit=forfeit)
            record, now = battle.record, self._clock()
            if record.mode == "blind" and battle.reveal is None:
                forfeited = "answers" not in battle.standing
                reveal = RevealRecord(new_row_id(), record.battle_id, record.visitor, forfeited, to_iso(now))
                self._store.append(reveal)
                battle.reveal, battle.touched = reveal, now
                self._battles.forget(battle)
            return names(record, forfeited=battle.reveal is not None and battle.reveal.forfeited)

    def _keep(self, record: BattleRecord) -> bool:
        """Whether the store has it now."""
        try:
            self._store.append(record)
        except StoreError:
            # Only the link to this battle is lost: a vote includes the whole battle and may still be saved.
            _LOG.exception("battle %s could not be stored", record.battle_id)
            return False
        return True
