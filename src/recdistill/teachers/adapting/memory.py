"""As much at once as the device's memory holds: what does not fit is tried in halves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def runs_out(device: torch.device) -> bool:
    """Whether too much on this device is an error that tells so; a processor's memory ends with the process."""
    return device.type == "cuda"


def in_parts(work: Callable[[Sequence[Thing]], Answer], things: Sequence[Thing]) -> list[Answer]:
    """What `work` makes of all things together; where memory runs out, of each half, and so on.

    Returns:
        The answers for parts of `things`, in their order; usually one.
    """
    try:
        return [work(things)]
    except torch.OutOfMemoryError:
        if len(things) < 2:
            raise
    # Outside of `except`, where the traceback no longer holds what was too much.
    middle = len(things) // 2
    return [*in_parts(work, things[:middle]), *in_parts(work, things[middle:])]


def largest_that_fits(trial: Callable[[int], None], most: int) -> int:
    """The first of `most`, a half, a quarter… for which `trial` does not run out of memory.

    Raises:
        torch.OutOfMemoryError: even 1 is too many.
    """
    try:
        trial(most)
    except torch.OutOfMemoryError:
        if most == 1:
            raise
    else:
        return most
    return largest_that_fits(trial, most // 2)
