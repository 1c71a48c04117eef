"""Visitors' consent to publishing their votes, and what others get of a vote with it and without it.

Consent is optional: a vote without it counts all the same.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from votes.ballot import Ballot, Vote
from votes.errors import Refused

LICENCE = "CC-BY-4.0"
"""The licence under which votes are published, by its SPDX name."""
AGREEMENT = (
    "My questions, the answers to them, my votes and comments may be published, for anyone to use under the licence "
    "CC BY 4.0. They contain nothing personal."
)


def check_licence(licence: object) -> None:
    """Raise Refused unless this is the licence, or empty."""
    if licence not in ("", LICENCE):
        raise Refused("Votes are not published under that licence.", f"Send {LICENCE}, or nothing.")


def agreed(vote: Ballot) -> bool:
    """Whether the visitor agreed to the publication of this vote."""
    return vote.licence == LICENCE


def public_rows(votes: Iterable[Vote], standing: Set[str]) -> Iterator[Vote]:
    """What anyone may have of these rows: all of them without identity, and texts only of votes that were agreed to and
    stand. `standing`: ids of the rows that stand, since a vote that was taken back is not published either."""
    return without_identity(
        vote if agreed(vote) and vote.row_id in standing else replace(vote, turns=(), comment="") for vote in votes
    )


def without_identity(votes: Iterable[Vote]) -> Iterator[Vote]:
    """Replace visitors, battles and rows by numbers that mean nothing outside these rows, and times by days.

    The id of a battle opens it for anyone, and any id or time would join these rows with those of another file.
    """
    numbers: dict[str, dict[str, str]] = {"visitor": {}, "battle": {}, "vote": {}}

    def number(kind: str, name: str) -> str:
        return numbers[kind].setdefault(name, f"{kind}-{len(numbers[kind]) + 1}")

    for vote in votes:
        yield replace(
            vote,
            row_id=number("vote", vote.row_id),
            battle_id=number("battle", vote.battle_id),
            voted_at=vote.voted_at[:10],
            visitor=number("visitor", vote.visitor),
            retracts=vote.retracts and number("vote", vote.retracts),
        )
