"""Imported votes on disk: one file per source, separate from this arena's own."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from common import jsonl
from common.errors import ConfigError, DataError
from votes.elsewhere.vote import ForeignVote

OWN = "own"
"""The name that selects this arena's own votes; no source may use it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VOTE = TypeAdapter(ForeignVote)


class Added(NamedTuple):
    """The result of an import."""

    added: int
    known: int
    """Votes that were there already."""


def keep_votes(folder: Path, source: str, votes: Iterable[ForeignVote]) -> Added:
    """Add the votes that the source does not have yet. ConfigError for a name that cannot be a file's."""
    path = _path(folder, source)
    there = {vote.id for vote in kept_votes(folder, source)} if path.exists() else set()
    votes = list(votes)
    new = [vote for vote in votes if vote.id not in there]
    path.parent.mkdir(parents=True, exist_ok=True)
    jsonl.append(path, map(asdict, new))
    return Added(len(new), len(votes) - len(new))


def kept_votes(folder: Path, source: str) -> list[ForeignVote]:
    """All votes of a source. DataError if there is none of that name, or its file was damaged."""
    path = _path(folder, source)
    if not path.exists():
        known = ", ".join(sources(folder)) or "none"
        raise DataError(
            f"No votes of {source} were imported.", f"Sources here: {known}. See arena votes import --help."
        )
    votes = []
    for number, value in jsonl.read(path):
        try:
            votes.append(_VOTE.validate_python(value))
        except ValidationError as error:
            raise DataError(f"{path}, line {number} is not a vote.", "Delete the file and import it again.") from error
    return votes


def sources(folder: Path) -> list[str]:
    """The names of what was imported."""
    return sorted(path.stem for path in folder.glob("*.jsonl"))


def _path(folder: Path, source: str) -> Path:
    if not _NAME.fullmatch(source) or source == OWN:
        raise ConfigError(
            f"{source[:80]!r} cannot be the name of a source.",
            f"Use small letters, digits, dots, dashes and underscores, and not {OWN!r}.",
        )
    return folder / f"{source}.jsonl"
