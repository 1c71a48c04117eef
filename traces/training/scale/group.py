"""The group of processes that train together: opening it with a long time-out, and keeping decisions in sync."""

from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

T = TypeVar("T")


def open_group(timeout_minutes: float) -> None:
    """Join the other processes of a launch; does nothing for a single process.

    Call it before anything else that may open the group, since a group keeps the time-out it was opened with. NCCL's
    default of ten minutes is too short for the first process to write a 145 GB model while the others wait.
    """
    PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(minutes=timeout_minutes))


def wait_for_all() -> None:
    PartialState().wait_for_everyone()


def agreed(value: T) -> T:
    """The first process's value, broadcast to all: a shared disk may briefly show them different files."""
    values = broadcast_object_list([value])
    return values[0]
