"""Which process of a launch this is, known before its group is open and without torch."""

import os


def is_first() -> bool:
    """Whether this process is the first of all, which writes files and prints; True for one alone."""
    return int(os.environ.get("RANK") or 0) == 0
