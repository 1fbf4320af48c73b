"""The test. Only `evaluation/` and `pipeline/` import this (an architecture test keeps it so)."""

from __future__ import annotations

from pathlib import Path

from recdistill.data import layout
from recdistill.data.cases import Cases, ask
from recdistill.data.events import Events
from recdistill.data.reading import asked_for, events_before


def open_test(folder: Path | str) -> Cases:
    """The test cases of a prepared dataset; their histories include training and validation events.

    Raises:
        DataError: the folder is no prepared dataset, or its files are damaged.
    """
    folder = Path(folder)
    target, min_history = asked_for(folder)
    test = layout.read_events(folder, layout.TEST)
    cases, _ = ask(events_before(folder), test, target, min_history)
    return cases


def open_known(folder: Path | str) -> Events:
    """Every event before the test, grouped by user: what a model would know when it is served."""
    return events_before(Path(folder))
