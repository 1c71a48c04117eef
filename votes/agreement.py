"""Visitors' consent to publishing their votes. It is optional: a vote without it counts all the same."""

from dataclasses import replace

from votes.ballot import Vote
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


def without_texts(vote: Vote) -> Vote:
    """The public part of a vote: all of it if the visitor has agreed, otherwise all but its texts."""
    return vote if vote.licence == LICENCE else replace(vote, turns=(), comment="")
