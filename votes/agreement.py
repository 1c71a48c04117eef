"""What a visitor agrees to before a vote may be published. Nobody has to: a vote without it counts all the same."""

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
    """Refused unless this is the licence, or empty."""
    if licence not in ("", LICENCE):
        raise Refused("Votes are not published under that licence.", f"Send {LICENCE}, or nothing.")


def without_texts(vote: Vote) -> Vote:
    """What of a vote may be given to everybody: all of it if the visitor has agreed, else all but its words."""
    return vote if vote.licence == LICENCE else replace(vote, turns=(), comment="")
