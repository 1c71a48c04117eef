"""Votes through the store by 32 threads at once, against one connection that inserts the same rows into DuckDB."""

import dataclasses
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from bench.context import Bench
from bench.report import Measure, Section, percentile
from votes.ballot import RecordedReply, Turn, Vote, columns, to_row
from votes.store import Store
from votes.store.migrations import migrate

WRITERS = 32


def run(bench: Bench) -> Section:
    each = 4 if bench.quick else 25
    votes = [make_vote(number) for number in range(WRITERS * each)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "votes.duckdb")
        seconds, waits = many_writers(votes, store.append)
        saved = sum(1 for _ in store.votes())
        store.close()
        raw_seconds, raw_waits = one_writer(votes, Path(folder) / "raw.duckdb")
    if saved != len(votes):
        raise AssertionError(f"{saved} of {len(votes)} acknowledged votes are in the store")
    return Section(
        "Votes",
        [
            Measure("32 writers", len(votes) / seconds, "votes/s", len(votes) / raw_seconds, "one raw connection"),
            Measure("wait until acknowledged, median", 1000 * percentile(waits, 0.5), "ms"),
            Measure("wait until acknowledged, 99th percentile", 1000 * percentile(waits, 0.99), "ms"),
            Measure("one raw insert, 99th percentile", 1000 * percentile(raw_waits, 0.99), "ms"),
        ],
        [f"{len(votes)} votes with both replies, each committed before it is acknowledged; all were read back."],
    )


def many_writers(votes: list[Vote], append: Callable[[Vote], None]) -> tuple[float, list[float]]:
    """Seconds for all, and how long each vote waited."""
    waits: list[float] = []
    ready = threading.Barrier(WRITERS + 1)

    def write(mine: list[Vote]) -> None:
        ready.wait()
        for vote in mine:
            begun = time.perf_counter()
            append(vote)
            waits.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=write, args=(votes[i::WRITERS],)) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, waits


def one_writer(votes: list[Vote], path: Path) -> tuple[float, list[float]]:
    """The same rows into the same table, one committed insert after another on one connection."""
    con = duckdb.connect(path)
    migrate(con)
    names = columns(Vote)
    insert = f"INSERT INTO votes ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    waits = []
    begun = time.perf_counter()
    for vote in votes:
        before = time.perf_counter()
        row = to_row(vote)
        con.execute(insert, [row[name] for name in names])
        waits.append(time.perf_counter() - before)
    seconds = time.perf_counter() - begun
    con.close()
    return seconds, waits


def make_vote(number: int) -> Vote:
    """A vote of ordinary size: one question, two replies of about 2,000 characters."""
    text = "First the tens, then the units. " * 60
    base = RecordedReply(
        "base", "base", "0" * 64, answer=text, raw=text, answer_tokens=400, first_token_seconds=0.2, seconds=16.0
    )
    distilled = dataclasses.replace(base, role="distilled", thought=text, thought_tokens=400)
    values: dict[str, object] = {
        "row_id": f"row-{number}",
        "battle_id": f"battle-{number}",
        "voted_at": "2026-01-01T00:00:00+00:00",
        "visitor": f"visitor-{number % 97}",
        "pair": "smol-135m",
        "stage": "answers",
        "verdict": "a",
        "a_role": "base",
        "mode": "blind",
        "delivery": "together",
        "language": "en",
        "retracts": "",
        "reasons": ("correct",),
        "comment": "",
        "base_model": "base",
        "base_weight_hash": "0" * 64,
        "distilled_model": "distilled",
        "distilled_weight_hash": "1" * 64,
        "sampling": {"temperature": 0.0},
        "seed": number,
        "seconds_to_vote": 12.0,
        "reasoning_seen": False,
        "app_version": "bench",
        "turns": (Turn("What is 6 times 7?", base, distilled),),
    }
    return Vote(**values)  # type: ignore[arg-type]
