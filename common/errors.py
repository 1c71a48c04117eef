"""Errors meant to be shown to the user. Any other exception that escapes is a bug, and is logged rather than shown."""

import errno
import re
import tempfile
from pathlib import Path
from typing import Literal

from common.paths import ROOT, home

Refusal = Literal["", "too_long", "limit_too_high", "refused", "cannot_start"]
"""Why a retry cannot help. `too_long`: the prompt does not fit this model; `limit_too_high`: it would, but not with so
high a token limit (the server itself is fine in both cases); `refused`: the server rejects the request, e.g. because of
its API key or model name; `cannot_start`: the server would fail the same way on every start. Empty for a temporary
fault."""


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""`OSError.errno` of a full disk, or of a share of it that is used up."""
_ADDRESS = r"https?://[^\s)]*[^\s.,;:)]"


class ArenaError(Exception):
    """Something the user can act on. `str(error)` says what happened; `remedy` says what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.remedy}" if self.remedy else message


class ConfigError(ArenaError):
    """An invalid key in spaces.yaml or a recipe, or an invalid option; the message names it."""


class WeightsError(ArenaError):
    """Weights that cannot be found or fetched, fail verification, or do not fit into memory."""


class ServerError(ArenaError):
    """A model server that does not start, does not answer, or refuses a request."""

    def __init__(self, message: str, remedy: str = "", refusal: Refusal = "") -> None:
        super().__init__(message, remedy)
        self.refusal = refusal


class DataError(ArenaError):
    """A data file that is missing, unreadable or not what it claims to be; the message names the file and row."""


def for_visitors(text: str) -> str:
    """A message as visitors may see it: no server's address, and file names without the folders of this machine."""
    text = re.sub(rf"(?: at)? ?{_ADDRESS}", "", re.sub(rf"(?:^|(?<=[.!?] )){_ADDRESS}", "The server", text))
    own = "|".join(re.escape(str(folder)) for folder in (home(), ROOT, Path(tempfile.gettempdir()), Path.home()))
    return re.sub(rf"(?:{own})[/\\](?:[^\s/\\]+[/\\])*", "", text)
