"""How far a download is, as a sentence every second: read from the bytes on disk, since no downloader tells it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.weights.files import Report

MB = 10**6
LOOK_SECONDS = 1.0
"""Interval for looking at the disk."""


@contextmanager
def told(report: Report, name: str, done: Callable[[], int], whole: Callable[[], int]) -> Iterator[None]:
    """While the body downloads, report from a second thread how many bytes of how many there are.

    whole: 0 as long as it is unknown.
    """
    ended = threading.Event()

    def sentence() -> str:
        there, all_of_it = done(), whole()
        if not all_of_it:
            return f"downloading {name}: {there // MB} MB"
        return f"downloading {name}: {min(there, all_of_it) // MB} of {all_of_it // MB} MB"

    def tell() -> None:
        while not ended.wait(LOOK_SECONDS):
            report(sentence())

    report(sentence())  # also outside the thread: a report may refuse
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sizes(folder: Path) -> Iterator[int]:
    """The size of every file below the folder, ignoring files that disappear meanwhile."""
    for file in folder.rglob("*"):
        try:
            if file.is_file():
                yield file.stat().st_size
        except OSError:
            continue
