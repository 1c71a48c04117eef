"""Which process of a launch this is, before its group is open and without importing torch."""

import os


def is_first() -> bool:
    """Whether this is the first process, the one that writes files and prints; True for a single process."""
    return int(os.environ.get("RANK") or 0) == 0
