"""Files that commands write."""

import os
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
