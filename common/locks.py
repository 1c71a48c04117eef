"""Work that only one process may do at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import DataError


@contextmanager
def claimed(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file for this process, and let go when it ends however it ends. Its folder must be there.

    Raises DataError, which begins with `what`, if another process holds it.
    """
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{what} is in use by another process.", "Stop that process first.") from error
        yield
