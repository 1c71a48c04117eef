"""Battles, votes and reveals on disk: append-only, and an acknowledged row is never lost."""

from votes.store.database import Store
from votes.store.tables import KINDS, TABLES

__all__ = ["KINDS", "TABLES", "Store"]
