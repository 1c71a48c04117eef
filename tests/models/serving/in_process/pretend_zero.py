"""A stand-in for the package `spaces` as it is on ZeroGPU: notes what is asked for, and refuses where it is told to."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest


class GpuError(Exception):
    """Like gradio's error, which `spaces` raises."""

    def __init__(self, title: str, message: str) -> None:
        super().__init__(message)
        self.title, self.message = title, message


VISITOR: ContextVar[str] = ContextVar("visitor", default="")
QUOTA = GpuError(
    "ZeroGPU quota exceeded",
    "You have exceeded your free ZeroGPU quota (90s requested vs. 12s left). Try again in 3:10:00. ",
)
ABORTED = GpuError("ZeroGPU worker error", "GPU task aborted")


class PretendZero(ModuleType):
    def __init__(self) -> None:
        super().__init__("spaces")
        self.calls: list[tuple[int, int]] = []
        """(seconds asked for, requests in the call)."""
        self.visitors: list[str] = []
        self.visitor: Callable[[], str] = VISITOR.get
        self.refusal: Exception | None = None
        self.abort_after: int | None = None
        """How many pieces a call may say before its GPU is taken back."""
        self.seconds_a_piece = 0.0
        self.said = 0
        """Pieces of all calls so far."""

    def GPU(self, function: Callable[..., Iterator[Any]], *, duration: Callable[..., int]) -> Any:
        def lent(jobs: Sequence[Any]) -> Iterator[Any]:
            self.calls.append((duration(jobs), len(jobs)))
            self.visitors.append(self.visitor())
            if self.refusal:
                raise self.refusal
            for said, piece in enumerate(function(jobs)):
                if said == self.abort_after:
                    raise ABORTED
                self.said += 1
                time.sleep(self.seconds_a_piece)
                yield piece

        return lent


def install(monkeypatch: pytest.MonkeyPatch) -> PretendZero:
    pretend = PretendZero()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", pretend)
    return pretend
