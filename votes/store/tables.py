"""The tables: rows in, rows out."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import Any

import duckdb

from votes.ballot import BattleRecord, HiddenRecord, RevealRecord, Row, RowT, Vote, columns, from_row, to_row
from votes.store.journal import Entry

TABLES: dict[type, str] = {Vote: "votes", BattleRecord: "battles", RevealRecord: "reveals", HiddenRecord: "hidden"}
KINDS = {table: kind for kind, table in TABLES.items()}
_ROWS_A_STATEMENT = 100
_ROWS_A_FETCH = 500


def select(
    cursor: duckdb.DuckDBPyConnection, kind: type[RowT], battle_id: str | None = None, known: Set[str] = frozenset()
) -> Iterator[RowT]:
    """Rows of this kind, of one battle or of all, except those with `known` ids. A `Ballot` is the countable part of a
    row of votes."""
    names, table = columns(kind), TABLES.get(kind, "votes")
    where, values = "", list[Any]()
    if battle_id is not None:
        where, values = "WHERE battle_id = ?", [battle_id]
    if known:  # only the ids first, since reading whole rows is slow
        ids = (row_id for (row_id,) in cursor.execute(f"SELECT row_id FROM {table} {where}", values).fetchall())
        where, values = "WHERE row_id IN (SELECT unnest(?))", [[row_id for row_id in ids if row_id not in known]]
    result = cursor.execute(f"SELECT {', '.join(names)} FROM {table} {where}", values)
    while portion := result.fetchmany(_ROWS_A_FETCH):
        yield from (from_row(kind, dict(zip(names, row, strict=True))) for row in portion)


def latest_waits(cursor: duckdb.DuckDBPyConnection, pair: str, most: int) -> list[float]:
    """How many seconds the last turn took until both replies were complete, for this pair's latest battles."""
    seconds = "greatest(TRY_CAST(turns->-1->'a'->>'seconds' AS DOUBLE), TRY_CAST(turns->-1->'b'->>'seconds' AS DOUBLE))"
    query = f"SELECT {seconds} FROM battles WHERE pair = ? ORDER BY finished_at DESC LIMIT ?"
    return [float(value) for (value,) in cursor.execute(query, [pair, most]).fetchall() if value]


def insert_all(con: duckdb.DuckDBPyConnection, entries: Sequence[Entry]) -> Counter[str]:
    """Insert all rows or none, keeping existing ids unchanged. Returns how many were added to each table."""
    added: Counter[str] = Counter()
    con.begin()
    try:
        for table, group in itertools.groupby(entries, key=lambda entry: entry.table):
            # One statement for many rows: preparing it costs more than a row does.
            rows = [entry.row for entry in group]
            for start in range(0, len(rows), _ROWS_A_STATEMENT):
                added[table] += _insert(con, table, rows[start : start + _ROWS_A_STATEMENT])
    except duckdb.Error:
        with contextlib.suppress(duckdb.Error):
            con.rollback()
        raise
    con.commit()
    return added


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]) -> int:
    marks = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
    query = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES {marks} ON CONFLICT DO NOTHING"
    inserted = con.execute(query, [value for row in rows for value in row.values()]).fetchone()
    return int(inserted[0]) if inserted else 0


def count_rows(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    """How many rows each table holds."""
    counts: Counter[str] = Counter()
    for table in KINDS:
        row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts


def to_entry(row: Row) -> Entry:
    return Entry(TABLES[type(row)], to_row(row))


def read_entry(entry: Entry) -> Row | None:
    """The row in a journal's line; None if there is none."""
    try:
        row: Row = from_row(KINDS[entry.table], entry.row)
        return row
    except (KeyError, TypeError, ValueError):
        return None
