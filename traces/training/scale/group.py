"""The processes that train together: opened with a long time-out, and kept of one mind."""

from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

T = TypeVar("T")


def open_group(timeout_minutes: float) -> None:
    """Join the other processes of a launch; alone, nothing is opened.

    This comes before anything else that may open the group, since a group keeps the time-out it was opened with. Ten
    minutes, NCCL's own, are less than the first process needs to write a model of 145 GB while the others wait.
    """
    PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(minutes=timeout_minutes))


def wait_for_all() -> None:
    PartialState().wait_for_everyone()


def agreed(value: T) -> T:
    """The first process's value, in every process: a shared disk may show them different files for a while."""
    values = broadcast_object_list([value])
    return values[0]
