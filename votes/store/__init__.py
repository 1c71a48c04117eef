"""Battles, votes and reveals on disk: rows are only added, and a row that was acknowledged is never lost."""

from votes.store.database import Store
from votes.store.tables import KINDS, TABLES

__all__ = ["KINDS", "TABLES", "Store"]
