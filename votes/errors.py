"""Errors that tell the visitor why a battle or vote was refused. They name no files and quote no database."""

from common.errors import ArenaError


class VoteError(ArenaError):
    """Something the visitor can act on."""


class UnknownBattle(VoteError):
    """No battle with this id belongs to this visitor, or it has expired."""


class Refused(VoteError):
    """The battle exists, but this step is not allowed now."""


class TextRefused(VoteError):
    """A prompt or comment that is empty, too long or not plain text."""


class TooOften(VoteError):
    """A rate limit was reached; the message says when to try again."""

    def __init__(self, message: str, retry_after: float) -> None:
        """`retry_after`: seconds."""
        super().__init__(message, f"Please try again in {max(1, round(retry_after))} s.")


class StoreError(VoteError):
    """The row could be written neither to the database nor to a journal. It is not saved."""
