"""Stores with the right keys and the wrong words."""

from __future__ import annotations

import numpy as np
import pytest
from spoken import write

from recdistill.distill import distill
from recdistill.distill.correspondence import check_correspondence
from recdistill.distill.lookup import lookups
from recdistill.errors import SignalError
from recdistill.models.sasrec import SASRec
from recdistill.signals import HardLabel, Signals, TopK

K = 5


@pytest.fixture(scope="module")
def dataset(make_dataset, tmp_path_factory):
    """Large enough to tell chance from knowledge."""
    return make_dataset(tmp_path_factory.mktemp("larger"), users=150, items=60, events=6000)


@pytest.fixture(scope="module")
def good(dataset):
    """A teacher that lists the true next item of every second context, among items at random."""
    contexts = dataset.contexts()
    items, stops = dataset.train.items.astype(np.int64), dataset.train.histories.stops
    random = np.random.default_rng(0)
    lists = np.argsort(random.random((len(contexts), dataset.num_items)), axis=1)[:, :K]
    ends = np.setdiff1d(np.arange(len(contexts)), stops - 1)
    known = ends[::2]
    missing = ~(lists[known] == items[known + 1][:, None]).any(1)
    lists[known[missing], 0] = items[known[missing] + 1]
    return lists.astype(np.int32)


@pytest.fixture
def stored(dataset, tmp_path):
    def stored(lists, chosen=slice(None)) -> Signals:
        contexts = dataset.contexts()
        _, first = np.unique(contexts.keys[chosen], return_index=True)
        first = np.arange(len(contexts))[chosen][first]
        count = len(first)
        top = {
            "items": lists[first],
            "logits": np.tile(-np.arange(1.0, K + 1), (count, 1)).astype(np.float16),
            "rest": np.full(count, -0.1, np.float32),
        }
        write(tmp_path, dataset, TopK(k=K), contexts.keys[first], top)
        hard = {"items": lists[first, 0].copy(), "confidence": np.full(count, 0.5, np.float32)}
        write(tmp_path, dataset, HardLabel(), contexts.keys[first], hard)
        return Signals.open(tmp_path)

    return stored


def check(signals, dataset, kind="top-k"):
    check_correspondence(lookups(signals, dataset, [kind])[kind], dataset)


def test_what_belongs_together_passes(stored, good, dataset):
    signals = stored(good)
    check(signals, dataset)
    check(signals, dataset, "hard-label")


@pytest.mark.parametrize("kind", ["top-k", "hard-label"])
def test_permuted_rows_are_refused_with_the_shares(stored, good, dataset, kind):
    permuted = good[np.random.default_rng(1).permutation(len(good))]
    with pytest.raises(
        SignalError, match=rf"'{kind}' signals hold the next item in \d.*know nothing"
    ):
        check(stored(permuted), dataset, kind)


def test_rows_shifted_far_are_refused(stored, good, dataset):
    with pytest.raises(SignalError, match="know nothing"):
        check(stored(np.roll(good, 1000, axis=0)), dataset)


def test_rows_shifted_by_one_are_named_as_such(stored, good, dataset):
    with pytest.raises(SignalError, match="seem to be shifted"):
        check(stored(np.roll(good, -1, axis=0)), dataset)


def test_contexts_chosen_because_the_next_item_is_hard_to_list_are_not_taken_for_shifted(
    stored, good, dataset
):
    """Of a teacher that lists what comes after the next item too, the contexts where it missed the next one more often
    than not: a shift, if one looks at these alone."""
    items, stops = dataset.train.items.astype(np.int64), dataset.train.histories.stops
    good = good.copy()
    ends = np.setdiff1d(np.arange(len(good)), np.concatenate([stops - 1, stops - 2]))
    good[ends, 1] = items[ends + 2]
    hit = (good[ends] == items[ends + 1][:, None]).any(1)
    chosen = np.sort(np.concatenate([ends[~hit], ends[hit][:600]]))
    assert 2000 < len(chosen) < 0.9 * len(ends)
    check(stored(good, chosen), dataset)


def test_permuted_rows_about_chosen_contexts_are_refused(stored, good, dataset):
    permuted = good[np.random.default_rng(1).permutation(len(good))]
    with pytest.raises(SignalError, match="know nothing"):
        check(stored(permuted, slice(0, None, 2)), dataset)


def test_one_list_for_all_is_no_permutation(stored, good, dataset):
    check(stored(np.tile(good[:1], (len(good), 1))), dataset)


def test_too_few_contexts_say_nothing(tiny_dataset, signals):
    assert len(tiny_dataset.train.items) < 2000
    check(signals, tiny_dataset)


def test_vectors_are_left_alone(tiny_dataset, signals):
    for kind in ("item-vectors", "user-vectors"):
        check(signals, tiny_dataset, kind)


def test_the_refusal_comes_before_training(stored, good, dataset):
    student = SASRec.for_dataset(dataset, width=8, blocks=1, history=10)
    before = student.item_table().detach().clone()
    recipe = {"objectives": [{"kind": "next-item"}, {"kind": "kl"}]}
    with pytest.raises(SignalError, match="label this dataset again"):
        distill(student, dataset, stored(np.roll(good, 1000, axis=0)), recipe)
    assert bool((student.item_table() == before).all())
