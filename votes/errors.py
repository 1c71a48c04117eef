"""Errors of voting meant to be shown to a person.

They have the shape of the app's own errors and no tie to them, since `votes` stands alone. Anything else that escapes
is a defect, and is logged rather than shown.
"""


class VoteError(Exception):
    """Something the visitor can act on. `str(error)` says what happened and what to do next (`remedy`)."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.remedy}" if self.remedy else message


class UnknownBattle(VoteError):
    """No battle of this id belongs to this visitor, or it has expired."""


class Refused(VoteError):
    """The battle is known, but this step is not allowed now."""


class TextRefused(VoteError):
    """A prompt or comment that is empty, too long or not plain text."""


class TooOften(VoteError):
    """A rate limit; `retry_after`, in seconds, is part of what it says."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, f"Please try again in {max(1, round(retry_after))} s.")


class StoreError(VoteError):
    """The row could be written neither to the database nor to a journal: it is not saved."""
