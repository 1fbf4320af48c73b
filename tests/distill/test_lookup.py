"""Signals by event and by item, with what is missing counted and told."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from spoken import last_items, oracle, speak, write

from recdistill.distill.lookup import lookups
from recdistill.errors import SignalError
from recdistill.signals import HardLabel, Signals


@pytest.fixture(scope="module")
def partial(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("partial"), tiny_dataset, skip=4)


def test_each_event_finds_what_was_said_of_its_context(tiny_dataset, signals):
    lookup = lookups(signals, tiny_dataset, ["top-k"])["top-k"]
    events = np.array([5, 0, 17, 5])
    found = lookup.read(events)
    last = last_items(tiny_dataset.contexts().take(events))
    best = oracle(tiny_dataset)[0][last].argmax(1)
    assert found["items"].dtype == torch.int64
    assert found["logits"].dtype == torch.float32
    assert found["items"][:, 0].tolist() == best.tolist()
    assert lookup.has(events).all()


def test_items_are_found_by_dense_id(tiny_dataset, signals):
    lookup = lookups(signals, tiny_dataset, ["item-vectors"])["item-vectors"]
    assert lookup.about_items
    vectors = lookup.read(np.array([3, 1]))["vectors"]
    np.testing.assert_array_equal(vectors, oracle(tiny_dataset)[1][[3, 1]])


def test_unknown_subjects_are_marked_and_read_as_something(tiny_dataset, partial):
    lookup = lookups(partial, tiny_dataset, ["item-vectors"])["item-vectors"]
    subjects = np.array([2, 7, -1])
    assert lookup.has(subjects).tolist() == [False, True, False]
    vectors = lookup.read(subjects)["vectors"]
    assert vectors.isfinite().all()
    np.testing.assert_array_equal(vectors[1], oracle(tiny_dataset)[1][7])
    assert lookup.known.tolist() == list(range(4, tiny_dataset.num_items))


def test_a_sample_is_spread_over_what_is_known(tiny_dataset, partial):
    lookup = lookups(partial, tiny_dataset, ["item-vectors"])["item-vectors"]
    vectors = lookup.sample(10)["vectors"]
    assert 5 <= len(vectors) <= 10
    np.testing.assert_array_equal(vectors[0], oracle(tiny_dataset)[1][4])
    assert len(lookup.sample(10_000)["vectors"]) == tiny_dataset.num_items - 4


def test_missing_signals_are_told_with_their_number(tiny_dataset, partial, caplog):
    with caplog.at_level(logging.INFO):
        lookups(partial, tiny_dataset, ["item-vectors", "hard-label"])
    items = next(r for r in caplog.records if "'item-vectors'" in r.getMessage())
    assert f"4 of {tiny_dataset.num_items} items (10.0 %)" in items.getMessage()
    assert items.levelno == logging.WARNING
    contexts = next(r for r in caplog.records if "'hard-label'" in r.getMessage())
    assert contexts.levelno == logging.INFO


def test_nothing_is_told_when_nothing_is_missing(tiny_dataset, signals, caplog):
    with caplog.at_level(logging.INFO):
        lookups(signals, tiny_dataset, ["top-k", "item-vectors"])
    assert not caplog.records


def test_signals_about_something_else_are_refused(tiny_dataset, tmp_path):
    keys = np.arange(3, dtype=np.uint64)
    columns = {"items": np.zeros(3, np.int32), "confidence": np.ones(3, np.float32)}
    write(tmp_path, tiny_dataset, HardLabel(), keys, columns)
    with pytest.raises(SignalError, match=r"none of the .* training contexts"):
        lookups(Signals.open(tmp_path), tiny_dataset, ["hard-label"])
