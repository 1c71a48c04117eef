"""Votes as files for others: Parquet and CSV with every row, and preference pairs for DPO as JSONL.

In Parquet and CSV, retractions are rows like any other (column `retracts`). Preference pairs come only from votes that
stand and name a winner.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from votes.ballot import STAGES, Ballot, Side, Vote, conversation
from votes.casting.limits import Limits
from votes.parquet import portions, write_rows
from votes.ranking import effective_votes
from votes.store import Store

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell as a formula."""
PairFault = Literal["equal", "empty"]


class PairCount(NamedTuple):
    """How many preference pairs were written, and how many votes were left out for lack of a training signal."""

    written: int
    equal: int
    """Both sides say the same."""
    empty: int
    """A side has a reply without text: it was empty or blocked, or the visitor did not agree to publication."""


def final_battles(rows: Iterable[Ballot], revealed: set[str], now: datetime, limits: Limits) -> set[str]:
    """Ids of the battles that can take no further blind vote.

    Only these are counted and exported; otherwise a visitor could learn from them which side was which, and then vote.
    They are named battles (nothing is hidden in them), revealed ones, and blind ones that have been left alone: for the
    undo time if both votes stand, otherwise until the battle expires. If no vote stands, only the reveal makes a battle
    final: further questions, of which the rows say nothing, may have kept it open.
    """
    battles: dict[str, list[Ballot]] = {}
    for row in rows:
        battles.setdefault(row.battle_id, []).append(row)

    def is_final(battle: list[Ballot]) -> bool:
        if battle[0].mode != "blind" or battle[0].battle_id in revealed:
            return True
        standing = len(effective_votes(battle))
        quiet = timedelta(seconds=limits.undo_seconds if standing == len(STAGES) else limits.expire_seconds)
        return standing > 0 and max(row.voted_at for row in battle) < (now - quiet).isoformat(timespec="milliseconds")

    return {battle_id for battle_id, battle in battles.items() if is_final(battle)}


def final_votes(store: Store, limits: Limits | None = None) -> Iterator[Vote]:
    """The stored votes on final battles: what may be counted and given out."""
    final = final_battles(store.ballots(), store.revealed(), datetime.now(UTC), limits or Limits())
    return (vote for vote in store.votes() if vote.battle_id in final)


def write_parquet(votes: Iterable[Vote], path: Path) -> int:
    """One row per vote. Nested columns (`turns`, `sampling`, `reasons`) are JSON text. Returns the number of rows."""
    return write_rows(Vote, votes, path)


def write_csv(votes: Iterable[Vote], path: Path) -> int:
    """The same rows and columns as the Parquet file, in UTF-8 with a header. Returns the number of rows.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Vote)])
        writer.writeheader()
        for rows in portions(votes):
            writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
            count += len(rows)
    return count


def safe_cell(value: Any) -> Any:
    """The value as a CSV cell that no spreadsheet runs."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_dpo(votes: Iterable[Vote], path: Path, *, with_reasoning: bool) -> PairCount:
    """Write preference pairs, one JSON object a line (see `preference_pairs`); count them and what was left out."""
    faults: Counter[PairFault | None] = Counter()
    with path.open("w", encoding="utf-8") as file:
        for pair in _all_pairs(votes, with_reasoning):
            fault = pair_fault(pair)
            faults[fault] += 1
            if fault is None:
                file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    return PairCount(faults[None], faults["equal"], faults["empty"])


def preference_pairs(votes: Iterable[Vote], *, with_reasoning: bool) -> Iterator[dict[str, Any]]:
    """TRL's conversational preference format: `prompt`, `chosen` and `rejected` are lists of messages.

    `prompt` is the first question. `chosen` and `rejected` are everything that followed on the preferred side and on
    the other, so that a battle of several turns, in which each model has a history of its own, stays one pair.

    With reasoning, a reply is its whole text, including the thought and its tags, and the vote cast after reading it
    counts (or the vote on the answers, if there is no second one). Without reasoning, a reply is its answer alone, and
    the vote on the answers counts, unless it was cast again after the reasoning was seen. Pairs that teach nothing are
    left out (see `pair_fault`).
    """
    return (pair for pair in _all_pairs(votes, with_reasoning) if pair_fault(pair) is None)


def pair_fault(pair: dict[str, Any]) -> PairFault | None:
    """Why this pair would teach a model nothing, or something wrong; None if it is sound."""
    sides = [[message["content"].strip() for message in pair[side]] for side in ("chosen", "rejected")]
    if not (sides[0] and all(text for side in sides for text in side)):
        return "empty"
    return "equal" if sides[0] == sides[1] else None


def last_votes(votes: Iterable[Vote]) -> list[Vote]:
    """The vote of each battle that stands, cast after reading the reasoning if there is one."""
    standing = effective_votes(votes)
    read = {vote.battle_id for vote in standing if vote.stage == "reasoning"}
    return [vote for vote in standing if vote.stage == "reasoning" or vote.battle_id not in read]


def _all_pairs(votes: Iterable[Vote], with_reasoning: bool) -> Iterator[dict[str, Any]]:
    if with_reasoning:
        standing = last_votes(votes)
    else:
        standing = [vote for vote in effective_votes(votes) if vote.on_answers_alone]
    for vote in standing:
        if vote.verdict in ("a", "b"):
            winner: Side = "a" if vote.verdict == "a" else "b"
            loser: Side = "b" if winner == "a" else "a"
            chosen = conversation(vote.turns, winner, with_thoughts=with_reasoning)
            rejected = conversation(vote.turns, loser, with_thoughts=with_reasoning)
            yield {"prompt": chosen[:1], "chosen": chosen[1:], "rejected": rejected[1:], "battle_id": vote.battle_id}
