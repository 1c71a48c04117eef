"""Variables of the product: none is forgotten, and a misspelt one is told."""

import re

import pytest

from common.paths import ROOT
from common.variables import KNOWN, misspelt

SPACES = "key_env: JOURNEY_MINE_KEY   # a name of the user's own"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("JOURNEY_OWNERKEY", "JOURNEY_OWNER_KEY"), ("JOURNEY_VOTE_REPO", "JOURNEY_VOTES_REPO"),
     ("JOURNEY_MINE_KEYS", "JOURNEY_MINE_KEY"), ("JOURNEY_TO_THE_WEST", "")],
)  # fmt: skip
def test_a_misspelt_variable_is_told(name: str, meant: str) -> None:
    (sentence,) = misspelt(["PATH", name, "JOURNEY_PAIR"], SPACES)
    assert name in sentence
    assert sentence.endswith(f"Did you mean {meant}?" if meant else "nothing here.")


def test_what_is_known_is_not_told() -> None:
    assert misspelt([*KNOWN, "JOURNEY_MINE_KEY", "HOME", "journey_pair"], SPACES) == []


def test_every_variable_of_the_readme_is_known() -> None:
    table = re.findall(r"^\| `.*?\|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"JOURNEY_\w+", " ".join(table)))
    assert len(named) > 8
    assert misspelt(named, (ROOT / "spaces.yaml").read_text(encoding="utf-8")) == []


def test_every_variable_that_the_code_reads_is_known() -> None:
    read = set()
    for folder in ("battles", "common", "commands", "eval", "insights", "models", "traces", "ui", "votes"):
        for path in (ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r"""["'](JOURNEY_[A-Z_]*[A-Z])["']""", path.read_text(encoding="utf-8")))
    assert read - KNOWN == set()
