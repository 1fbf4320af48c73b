"""Given vectors: of contexts that have one, folded in for all others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError
from recdistill.models.given import Given
from recdistill.models.recommender import Recommender
from recdistill.teachers.hearsay.folding import folded

TOLD = Sequences.from_lists([[1, 2, 3], [5], [7, 2, 3]])


@pytest.fixture
def vectors(tiny_dataset):
    random = np.random.default_rng(0)
    items = random.normal(size=(tiny_dataset.num_items, 4)).astype(np.float32)
    return items, random.normal(size=(3, 4)).astype(np.float32)


def test_scores_are_products(tiny_dataset, vectors):
    items, users = vectors
    model = Given.of(tiny_dataset, items, TOLD, users)
    assert model.factorised
    np.testing.assert_allclose(model.score(model.states(TOLD)), users @ items.T, rtol=1e-5)


def test_other_contexts_are_folded_in(tiny_dataset, vectors):
    items, users = vectors
    model = Given.of(tiny_dataset, items, TOLD, users)
    fold, offset = np.diag([1, 2, 3, 4]).astype(np.float32), np.ones(4, np.float32)
    model.fold_in(fold, offset)
    states = model.states(Sequences.from_lists([[2, 1, 3], [1, 2, 3], [5, 5], []]))
    mean = items[[1, 2, 3]].mean(0)
    np.testing.assert_allclose(states[0], mean * [1, 2, 3, 4] + 1, rtol=1e-5)
    np.testing.assert_allclose(states[1], users[0])
    np.testing.assert_allclose(states[2], items[5] * [1, 2, 3, 4] + 1, rtol=1e-5)
    np.testing.assert_allclose(states[3], np.ones(4))
    before = model.score(model.states(TOLD))
    model.cool(2.0)
    torch.testing.assert_close(model.score(model.states(TOLD)), before / 2)


def test_contexts_are_known_by_their_latest_items_and_the_first_of_equals_counts(
    tiny_dataset, vectors
):
    items, users = vectors
    model = Given.of(tiny_dataset, items, TOLD, users, history=2)
    assert model.config.contexts == 2
    states = model.states(Sequences.from_lists([[9, 9, 2, 3]]))
    np.testing.assert_allclose(states[0], users[0])
    # Trimming leaves the items by which a context is known, however long it is.
    for length in range(1, 30):
        long = Sequences.from_lists([[4] * length + [2, 3]])
        assert model.rows(model.trimmed(long)).tolist() == [int(model.rows(TOLD)[0])]


def test_it_is_saved_and_read_back(tiny_dataset, vectors, tmp_path):
    model = Given.of(tiny_dataset, vectors[0], TOLD, vectors[1])
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model")
    assert torch.equal(again.states(TOLD), model.states(TOLD))
    with pytest.raises(RecDistillError, match="cannot be fitted"):
        again.fit(tiny_dataset)


def test_folding_in_finds_a_linear_map_and_says_how_much_it_explains():
    random = np.random.default_rng(1)
    means = random.normal(size=(300, 5)).astype(np.float32)
    matrix, offset = random.normal(size=(5, 5)), random.normal(size=5)
    exact = folded(means, (means @ matrix + offset).astype(np.float32))
    assert exact.explained > 0.999
    np.testing.assert_allclose(exact.matrix, matrix, atol=1e-3)
    np.testing.assert_allclose(exact.offset, offset, atol=1e-3)
    # Half of the variance is noise, so about half can be explained.
    signal = means @ matrix
    noise = random.normal(size=signal.shape) * signal.std(0)
    assert folded(means, (signal + noise).astype(np.float32)).explained == pytest.approx(
        0.5, abs=0.1
    )
    nothing = folded(means, random.normal(size=(300, 5)).astype(np.float32))
    assert nothing.explained == 0
    assert not nothing.matrix.any()


def test_one_user_gives_everybody_its_vector():
    fold = folded(np.ones((1, 3), np.float32), np.full((1, 3), 2.0, np.float32))
    assert fold.offset.tolist() == [2, 2, 2]
    assert not fold.matrix.any()
