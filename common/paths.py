"""Where things are on disk. Nothing is created here."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository (or the folder of a pushed Space)."""


def home() -> Path:
    """What people and runs have made and nobody can fetch again: votes, runs, traces, logs. `JOURNEY_HOME`."""
    return Path(os.environ.get("JOURNEY_HOME") or ROOT / "data").expanduser().resolve()


def cache() -> Path:
    """What can be fetched or computed again: weights, wheels. `JOURNEY_CACHE`."""
    return Path(os.environ.get("JOURNEY_CACHE") or Path("~/.cache/journey-arena")).expanduser().resolve()
