"""Votes as files for others: Parquet and CSV of every row, and preference pairs for DPO as JSONL.

Does not know where votes are kept or who asks for them. Retractions are rows like any other in Parquet and CSV (column
`retracts`); the preference pairs hold only votes that stand and name a winner.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from votes.ballot import STAGES, Ballot, Side, Vote, conversation, to_row
from votes.limits import Limits
from votes.ranking import effective_votes

_BOOL, _FLOAT, _INT = ("reasoning_seen",), ("seconds_to_vote",), ("seed",)
_PORTION = 500


def final_battles(rows: Iterable[Ballot], revealed: set[str], now: datetime, limits: Limits) -> set[str]:
    """Ids of the battles in which no blind vote can be cast any more.

    Only these are counted and given out; otherwise a visitor could read in them which side was which, and vote. They
    are named battles (nothing is hidden in them), revealed ones, and blind ones that have been left alone: for the undo
    time where both votes stand, else until the battle expires. Where no vote stands, only the reveal makes it final:
    questions, of which the rows say nothing, may have kept the battle open.
    """
    battles: dict[str, list[Ballot]] = {}
    for row in rows:
        battles.setdefault(row.battle_id, []).append(row)

    def is_final(battle: list[Ballot]) -> bool:
        if battle[0].mode == "named" or battle[0].battle_id in revealed:
            return True
        standing = len(effective_votes(battle))
        quiet = timedelta(seconds=limits.undo_seconds if standing == len(STAGES) else limits.expire_seconds)
        return standing > 0 and max(row.voted_at for row in battle) < (now - quiet).isoformat(timespec="milliseconds")

    return {battle_id for battle_id, battle in battles.items() if is_final(battle)}


def write_parquet(votes: Iterable[Vote], path: Path) -> int:
    """One row a vote; nested columns (`turns`, `sampling`, `reasons`) are JSON text. Returns the number of rows."""
    schema = pa.schema([(field.name, _arrow_type(field.name)) for field in fields(Vote)])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _portions(votes):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def write_csv(votes: Iterable[Vote], path: Path) -> int:
    """The same rows and columns as the Parquet file, in UTF-8 with a header. Returns the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Vote)])
        writer.writeheader()
        for rows in _portions(votes):
            writer.writerows(rows)
            count += len(rows)
    return count


def write_dpo(votes: Iterable[Vote], path: Path, *, with_reasoning: bool) -> int:
    """Preference pairs, one JSON object a line (see `preference_pairs`). Returns the number of pairs."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for pair in preference_pairs(votes, with_reasoning=with_reasoning):
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
            count += 1
    return count


def preference_pairs(votes: Iterable[Vote], *, with_reasoning: bool) -> Iterator[dict[str, Any]]:
    """TRL's conversational preference format: `prompt`, `chosen` and `rejected` are lists of messages.

    `prompt` is the first question; `chosen` and `rejected` are all that followed on the preferred and on the other
    side, so that a battle of several turns, where each model has its own history, stays one pair. With reasoning, a
    reply is its raw text, thought and tags included, and the vote given after reading it counts (the vote on the
    answers where there is no second one). Without reasoning, a reply is its answer alone, and the vote on the answers
    counts, unless it was given again after the reasoning was seen.
    """
    standing = effective_votes(votes)
    if with_reasoning:
        read = {vote.battle_id for vote in standing if vote.stage == "reasoning"}
        standing = [vote for vote in standing if vote.stage == "reasoning" or vote.battle_id not in read]
    else:
        standing = [vote for vote in standing if vote.on_answers_alone]
    for vote in standing:
        if vote.verdict in ("a", "b"):
            winner: Side = "a" if vote.verdict == "a" else "b"
            loser: Side = "b" if winner == "a" else "a"
            chosen = conversation(vote.turns, winner, with_thoughts=with_reasoning)
            rejected = conversation(vote.turns, loser, with_thoughts=with_reasoning)
            yield {"prompt": chosen[:1], "chosen": chosen[1:], "rejected": rejected[1:], "battle_id": vote.battle_id}


def _portions(votes: Iterable[Vote]) -> Iterator[list[dict[str, Any]]]:
    rows = (to_row(vote) for vote in votes)
    while portion := list(islice(rows, _PORTION)):
        yield portion


def _arrow_type(name: str) -> pa.DataType:
    if name in _BOOL:
        return pa.bool_()
    if name in _FLOAT:
        return pa.float64()
    return pa.int64() if name in _INT else pa.string()
