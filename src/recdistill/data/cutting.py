"""Cut grouped events into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int64

from recdistill.data.events import Events
from recdistill.data.splits import CutTimes, GlobalTime, LastFraction, LeaveOneOut, SplitConfig
from recdistill.errors import DataError

TRAIN, VALID, TEST = 0, 1, 2
_ROUNDING = 1e-6  # 10 * (1 - 0.3 - 0.2) is 4.999…: a fraction of a count that means 5


@dataclass(frozen=True)
class Cut:
    """To which part each event belongs, and the moments of a global cut in seconds."""

    parts: Int8[np.ndarray, " events"]
    times: CutTimes | None = None


def cut(events: Events, num_users: int, split: SplitConfig, *, has_time: bool) -> Cut:
    """Assign events, grouped by user and with times in seconds, to training, validation and test.

    Raises:
        DataError: the log has no times for a split that needs them, or a part would be empty.
    """
    if isinstance(split, GlobalTime):
        result = _by_time(events, split, has_time)
    elif isinstance(split, LeaveOneOut):
        result = Cut(_by_count(events, num_users, *_leave_one_out(events, num_users)))
    else:
        result = Cut(_by_count(events, num_users, *_fractions(events, num_users, split)))
    _refuse_empty(result, split)
    return result


def _by_time(events: Events, split: GlobalTime, has_time: bool) -> Cut:
    if not has_time:
        raise DataError(
            "This log has an order but no times, so it cannot be split by global time.",
            "Use split: {kind: last-fraction} or {kind: leave-one-out}.",
        )
    count = len(events)
    places = [_floor(count * (1 - split.valid - split.test)), _floor(count * (1 - split.test))]
    if places[0] <= 0:
        raise DataError("The split leaves nothing to train on.", "Lower split.valid or split.test.")
    valid, test = np.partition(events.times, places)[places]
    parts = (events.times >= valid).astype(np.int8)
    parts += events.times >= test
    return Cut(parts, CutTimes(valid=int(valid), test=int(test)))


def _floor(value: float) -> int:
    return int(value + _ROUNDING)


def _leave_one_out(
    events: Events, num_users: int
) -> tuple[Int64[np.ndarray, " users"], Int64[np.ndarray, " users"]]:
    lengths = np.diff(events.offsets(num_users))
    # A user gives a test event only if training keeps one, and a validation event only after that.
    return (lengths >= 3).astype(np.int64), (lengths >= 2).astype(np.int64)


def _fractions(
    events: Events, num_users: int, split: LastFraction
) -> tuple[Int64[np.ndarray, " users"], Int64[np.ndarray, " users"]]:
    lengths = np.diff(events.offsets(num_users))
    test = np.floor(lengths * split.test + _ROUNDING).astype(np.int64)
    both = np.floor(lengths * (split.valid + split.test) + _ROUNDING).astype(np.int64)
    return both - test, test


def _by_count(
    events: Events,
    num_users: int,
    valid: Int64[np.ndarray, " users"],
    test: Int64[np.ndarray, " users"],
) -> Int8[np.ndarray, " events"]:
    stops = events.offsets(num_users)[1:]
    left = stops[events.users] - np.arange(len(events))  # 1 for a user's last event
    parts = (left <= (valid + test)[events.users]).astype(np.int8)
    parts += left <= test[events.users]
    return parts


def _refuse_empty(result: Cut, split: SplitConfig) -> None:
    for part, name in ((TRAIN, "training"), (VALID, "validation"), (TEST, "test")):
        if not (result.parts == part).any():
            raise DataError(
                f"The {split.kind} split leaves no {name} events.",
                "The log is too small or too dense in time; change dataset.split or the filters.",
            )
