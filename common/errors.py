"""Errors meant to be shown to a person. Anything else that escapes is a defect, and is logged rather than shown."""

from typing import Literal

Refusal = Literal["", "too_long", "refused", "cannot_start"]
"""Why asking again cannot help. `too_long`: the prompt or the token limit does not fit this model, which says nothing
about its server; `refused`: the server will not take such a request, e.g. for its key or the model it names;
`cannot_start`: the server will end in the same way however often it is started. Empty for a fault that may pass."""


class ArenaError(Exception):
    """Something the user can act on. `str(error)` says what happened; `remedy` says what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.remedy}" if self.remedy else message


class ConfigError(ArenaError):
    """A key of spaces.yaml, a recipe or an option that cannot be used; the message names the key."""


class WeightsError(ArenaError):
    """Weights that cannot be found, fetched, trusted or fitted into memory."""


class ServerError(ArenaError):
    """A model server that does not start, does not answer, or refuses a request."""

    def __init__(self, message: str, remedy: str = "", refusal: Refusal = "") -> None:
        super().__init__(message, remedy)
        self.refusal = refusal


class DataError(ArenaError):
    """A data file that is missing, unreadable or not what it claims to be; the message names the file and row."""
