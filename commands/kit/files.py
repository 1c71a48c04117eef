"""Files that commands write."""

import os
from collections.abc import Iterable
from pathlib import Path

from common.errors import ConfigError


def check_writable(path: Path) -> None:
    """Create the file's folder if needed. ConfigError if the file could not be written; call it before any work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        blocked = path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", "Give another file.") from error
    if blocked:
        raise ConfigError(f"{path} cannot be written.", "Give another file.")


def check_apart(out: Path, inputs: Iterable[Path]) -> None:
    """ConfigError if `out` is one of the files that are read: it would be replaced."""
    if out.exists() and any(path.exists() and path.samefile(out) for path in inputs):
        raise ConfigError(f"{out} would be overwritten by the result.", "Name another file with --out.")
