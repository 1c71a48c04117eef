"""Work that only one process may do at a time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from common.errors import DataError


def lock_file(file: IO[Any], *, wait: bool = False) -> None:
    """Lock an open file for this process until it is closed; with `wait`, once no other process holds the lock, for
    which Windows waits ten seconds. Raises OSError if one does, or if the file system does not support locks."""
    if sys.platform == "win32":
        import msvcrt

        # Windows locks byte ranges, which nobody else can then read: take one far beyond the end of any of our files.
        at = file.tell()
        file.seek(2**40)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(at)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def claimed(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file for this process; it is released however the process ends. Its folder must exist.

    Raises DataError, with a message that begins with `what`, if another process holds it.
    """
    with lock.open("w") as file:
        try:
            lock_file(file)
        except OSError as error:
            raise DataError(f"{what} is in use by another process.", "Stop that process first.") from error
        yield


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let only one process at a time make this folder; others wait. Without file locks this is not enforced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        with suppress(OSError):
            lock_file(lock, wait=True)
        yield
