"""The environment variables of the product, so that a misspelt one is noticed."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

from common.jsonl import read_text
from common.paths import ROOT

PREFIX = "JOURNEY_"
KNOWN = frozenset(
    PREFIX + name
    for name in (
        "PAIR", "PROFILE", "HOME", "CACHE", "ENGINE", "DATA", "OWNER", "OWNER_KEY", "VOTES_REPO", "SALT",
        "GUARD_URL", "GUARD_KIND", "GUARD_MODEL", "GUARD_KEY",
    )
)  # fmt: skip
"""Those that the code reads; spaces.yaml names further ones."""


def unknown_variables() -> list[str]:
    """`misspelt` of this process. Raises DataError if spaces.yaml cannot be read."""
    return misspelt(os.environ, read_text(ROOT / "spaces.yaml"))


def misspelt(environment: Iterable[str], spaces: str) -> list[str]:
    """A sentence for each variable that begins like ours and is not one. `spaces`: the text of spaces.yaml."""
    known = KNOWN | set(re.findall(rf"\b{PREFIX}\w+", spaces))
    sentences = []
    for name in sorted(set(environment) - known):
        if name.startswith(PREFIX):
            near = get_close_matches(name, sorted(known), 1, 0.8)
            meant = f" Did you mean {near[0]}?" if near else ""
            sentences.append(f"The variable {name} means nothing here.{meant}")
    return sentences
