"""Classifies database errors and explains them."""

import duckdb

from votes.store.migrations import NewerSchema

_CORRUPT = ("not a valid DuckDB database", "Corrupt database file", "Failure while replaying WAL")


def is_corrupt(error: Exception) -> bool:
    return isinstance(error, duckdb.Error) and any(sign in str(error) for sign in _CORRUPT)


def explain(error: Exception) -> str:
    """What is wrong, without the database's own words: they name files and reach visitors."""
    text = str(error)
    if "Could not set lock" in text:
        return "The vote database is in use by another program."
    if "Permission denied" in text or "read-only" in text.lower():
        return "The vote database cannot be written: it is read-only here."
    if isinstance(error, NewerSchema):
        return "The vote database was written by a later version of the app."
    if is_corrupt(error):
        return "The vote database is damaged."
    if "No space left" in text:
        return "The vote database cannot be written: the disk is full."
    return "The vote database cannot be used."
