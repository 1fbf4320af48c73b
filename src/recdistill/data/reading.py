"""Open a prepared dataset: everything but the test."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from recdistill.data import layout
from recdistill.data.cases import Cases, ask, sample
from recdistill.data.dataset import Dataset
from recdistill.data.events import Events
from recdistill.data.interactions import Interactions
from recdistill.data.items import Items
from recdistill.data.splits import LeaveOneOut, SplitManifest
from recdistill.data.vocabulary import Vocabulary


def read_dataset(folder: Path) -> Dataset:
    """Open a prepared dataset.

    Raises:
        DataError: the folder is no prepared dataset, or its files are damaged.
    """
    manifest = layout.read_manifest(folder)
    users = Vocabulary(layout.read_table(folder, layout.USERS).to_series())
    items = Items(layout.read_table(folder, layout.ITEMS), manifest["template"])
    train = layout.read_events(folder, layout.INTERACTIONS)
    return Dataset(
        name=manifest["name"],
        users=users,
        vocabulary=Vocabulary(items.frame.to_series(0)),
        items=items,
        train=Interactions(train.offsets(len(users)), train.items, train.times, train.ratings),
        valid=_valid(folder, train),
        split=SplitManifest.model_validate(manifest["split"]),
        fingerprint=manifest["fingerprint"],
        folder=folder,
    )


def _valid(folder: Path, train: Events) -> Cases:
    target, min_history = asked_for(folder)
    cases, _ = ask(train, layout.read_events(folder, layout.VALID), target, min_history)
    return cases.take(sample(cases, layout.read_manifest(folder)["max_valid_cases"]))


def asked_for(folder: Path) -> tuple[Literal["successive", "last"], int]:
    """Which events of a window are asked for, and how much must come before one."""
    manifest = layout.read_manifest(folder)
    settings = SplitManifest.model_validate(manifest["split"]).settings
    target = "last" if isinstance(settings, LeaveOneOut) else settings.target
    return target, manifest["min_history"]


def events_before(folder: Path) -> Events:
    """Training and validation events, grouped by user in time order."""
    return merged(
        layout.read_events(folder, layout.INTERACTIONS), layout.read_events(folder, layout.VALID)
    )


def merged(train: Events, valid: Events) -> Events:
    """Two grouped logs as one; of each user, `train` comes before `valid`."""
    users = np.concatenate([train.users, valid.users])
    order = np.argsort(users, kind="stable")
    ratings = None
    if train.ratings is not None and valid.ratings is not None:
        ratings = np.concatenate([train.ratings, valid.ratings])[order]
    return Events(
        users[order],
        np.concatenate([train.items, valid.items])[order],
        np.concatenate([train.times, valid.times])[order],
        ratings,
    )
