"""Where things are on disk. Nothing is created here."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository (or the folder of a pushed Space)."""
ADAPTERS = ROOT / "models" / "adapters"
"""Adapters that ship, and those that `arena train distil` publishes."""


def home() -> Path:
    """Data that cannot be fetched again: votes, runs, traces, logs. `JOURNEY_HOME`; else `data/`, under the user's home
    if the code's folder is read-only."""
    inside = ROOT / "data"
    writable = os.access(inside if inside.is_dir() else ROOT, os.W_OK)
    default = inside if writable else Path("~/journey-arena/data")
    return Path(os.environ.get("JOURNEY_HOME") or default).expanduser().resolve()


def cache() -> Path:
    """Data that can be fetched or computed again: weights, wheels. `JOURNEY_CACHE`."""
    return Path(os.environ.get("JOURNEY_CACHE") or Path("~/.cache/journey-arena")).expanduser().resolve()


def engine() -> Path:
    """The engine's own virtual environment, created by install.py next to the page's; on a Space, whose code folder may
    be read-only, in the cache. `JOURNEY_ENGINE`."""
    if named := os.environ.get("JOURNEY_ENGINE"):
        return Path(named).expanduser().absolute()
    if on_space():
        return cache() / "engine"
    beside = Path(sys.prefix).resolve().parent / ".venv-engine"
    return beside if beside.is_dir() else ROOT / ".venv-engine"


def on_space() -> bool:
    """Whether this is a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))
