"""The schema of the vote database, as ordered steps that are each applied once.

A released step is never edited: a change to the schema is a new step at the end.
"""

import duckdb


class NewerSchema(Exception):
    """The database was written by a later version of the app."""


def m001_votes_battles_reveals(con: duckdb.DuckDBPyConnection) -> None:
    ballot = """
        row_id VARCHAR PRIMARY KEY, battle_id VARCHAR NOT NULL, voted_at VARCHAR NOT NULL, visitor VARCHAR NOT NULL,
        pair VARCHAR NOT NULL, stage VARCHAR NOT NULL, verdict VARCHAR NOT NULL, a_role VARCHAR NOT NULL,
        mode VARCHAR NOT NULL, delivery VARCHAR NOT NULL, language VARCHAR NOT NULL, retracts VARCHAR NOT NULL"""
    con.execute(f"""
        CREATE TABLE votes ({ballot},
            reasons JSON NOT NULL, comment VARCHAR NOT NULL,
            base_model VARCHAR NOT NULL, base_weight_hash VARCHAR NOT NULL,
            distilled_model VARCHAR NOT NULL, distilled_weight_hash VARCHAR NOT NULL,
            sampling JSON NOT NULL, seed BIGINT, seconds_to_vote DOUBLE NOT NULL, reasoning_seen BOOLEAN NOT NULL,
            app_version VARCHAR NOT NULL, turns JSON NOT NULL)""")
    con.execute("""
        CREATE TABLE battles (
            row_id VARCHAR PRIMARY KEY, battle_id VARCHAR NOT NULL, visitor VARCHAR NOT NULL, pair VARCHAR NOT NULL,
            mode VARCHAR NOT NULL, delivery VARCHAR NOT NULL, a_role VARCHAR NOT NULL,
            sampling JSON NOT NULL, seed BIGINT, created_at VARCHAR NOT NULL, finished_at VARCHAR NOT NULL,
            language VARCHAR NOT NULL, turns JSON NOT NULL)""")
    con.execute("""
        CREATE TABLE reveals (
            row_id VARCHAR PRIMARY KEY, battle_id VARCHAR NOT NULL, visitor VARCHAR NOT NULL,
            forfeited BOOLEAN NOT NULL, revealed_at VARCHAR NOT NULL)""")


def m002_licence_blocked_hidden(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("ALTER TABLE votes ADD COLUMN licence VARCHAR DEFAULT ''")
    con.execute("ALTER TABLE votes ADD COLUMN blocked VARCHAR DEFAULT ''")
    con.execute("""
        CREATE TABLE hidden (
            row_id VARCHAR PRIMARY KEY, battle_id VARCHAR NOT NULL, hidden BOOLEAN NOT NULL,
            reason VARCHAR NOT NULL, hidden_at VARCHAR NOT NULL)""")


STEPS = (m001_votes_battles_reveals, m002_licence_blocked_hidden)


def migrate(con: duckdb.DuckDBPyConnection) -> None:
    """Bring the database up to the last step, each in its own transaction. NewerSchema if it is already past it."""
    con.execute("CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY, name VARCHAR, applied_at VARCHAR)")
    row = con.execute("SELECT coalesce(max(step), 0) FROM migrations").fetchone()
    done = int(row[0]) if row else 0
    if done > len(STEPS):
        raise NewerSchema(f"step {done}, this version knows {len(STEPS)}")
    for number, step in enumerate(STEPS[done:], start=done + 1):
        con.begin()
        try:
            step(con)
            con.execute("INSERT INTO migrations VALUES (?, ?, now()::VARCHAR)", [number, step.__name__])
        except duckdb.Error:
            con.rollback()
            raise
        con.commit()
