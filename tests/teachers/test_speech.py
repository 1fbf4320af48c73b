from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError
from recdistill.signals import HardLabel, TopK, UserVectors
from recdistill.teachers.speech import sayable, score_blocks, speak, top_k


def reference(scores: np.ndarray, k: int, temperature: float):
    """By definition, in double precision, row by row."""
    rows = []
    for z in scores.astype(np.float64):
        order = np.lexsort((np.arange(len(z)), -z))[:k]
        log_p = log_softmax(z / temperature)
        others = np.delete(log_p, order)
        rest = logsumexp(others) if len(others) else -np.inf
        rows.append((order, temperature * log_p[order], rest))
    return [np.stack(column) for column in zip(*rows, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 30),
    temperature=st.sampled_from([0.3, 1.0, 2.0, 7.0]),
    ties=st.booleans(),
)
def test_lists_logits_and_rest_are_those_of_the_definition(seed, k, temperature, ties):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(5, 25)).astype(np.float32) * 4
    if ties:
        scores = np.round(scores / 3)
    items, logits, rest = top_k(torch.from_numpy(scores.copy()), k, temperature)
    expected_items, expected_logits, expected_rest = reference(scores, k, temperature)
    np.testing.assert_array_equal(items.numpy(), expected_items)
    np.testing.assert_allclose(logits.numpy(), expected_logits, atol=2e-5)
    if k >= 25:
        assert (rest.numpy() == -np.inf).all()
    else:
        np.testing.assert_allclose(rest.numpy(), expected_rest, atol=2e-5)


def test_a_rest_that_is_nearly_nothing_is_still_right():
    """One minus the listed mass would be 0 here, and its logarithm minus infinity."""
    scores = torch.tensor([[50.0, 10.0, 5.0, 0.0]])
    _, _, rest = top_k(scores, 1, 1.0)
    expected = logsumexp(log_softmax(np.array([50.0, 10.0, 5.0, 0.0]))[1:])
    assert rest[0] == pytest.approx(expected, abs=1e-5)
    assert expected < -39


def test_listed_and_rest_are_a_distribution():
    scores = torch.randn(40, 200, generator=torch.Generator().manual_seed(1)) * 5
    _, logits, rest = top_k(scores.clone(), 10, 2.0)
    total = (logits / 2.0).exp().sum(1) + rest.exp()
    torch.testing.assert_close(total, torch.ones(40), atol=1e-5, rtol=0)


def test_a_constant_added_to_all_scores_changes_nothing():
    scores = torch.randn(4, 50, generator=torch.Generator().manual_seed(2))
    for one, other in zip(top_k(scores.clone(), 5, 1.5), top_k(scores + 8, 5, 1.5), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


HISTORIES = Sequences.from_lists([[0, 1, 2], [], [5], [7, 7, 7, 7], [3, 4]])


@pytest.mark.parametrize("factorised", [True, False])
def test_speaking_is_blockwise_and_the_block_changes_nothing(fixed, factorised):
    model = fixed(factorised=factorised)
    kinds = [TopK(k=7), HardLabel()]
    whole = speak(model, HISTORIES, kinds)
    small = speak(model, HISTORIES, kinds, block_bytes=1)
    scores = model.score(model.states(HISTORIES)).numpy()
    items, logits, _ = reference(scores, 7, 1.0)
    for said in (whole, small):
        np.testing.assert_array_equal(said["top-k"]["items"], items)
        np.testing.assert_allclose(said["top-k"]["logits"], logits, atol=1e-4)
        np.testing.assert_array_equal(said["hard-label"]["items"], items[:, 0])
        np.testing.assert_allclose(
            said["hard-label"]["confidence"], np.exp(logits[:, 0]), rtol=1e-4
        )


def test_no_block_is_larger_than_allowed(fixed, tiny_dataset):
    model = fixed()
    limit = 3 * 4 * tiny_dataset.num_items
    blocks = list(score_blocks(model, model.states(HISTORIES), limit))
    assert [len(block) for block in blocks] == [3, 2]


def test_user_vectors_are_the_states(fixed):
    model = fixed()
    said = speak(model, HISTORIES, [UserVectors()])
    np.testing.assert_array_equal(said["user-vectors"]["vectors"], model.states(HISTORIES).numpy())
    assert set(said) == {"user-vectors"}


def test_vectors_are_sayable_only_where_scores_are_products(fixed):
    assert sayable(fixed()) == {"top-k", "hard-label", "item-vectors", "user-vectors"}
    assert sayable(fixed(factorised=False)) == {"top-k", "hard-label"}


def test_answers_do_not_depend_on_what_else_is_asked(fixed):
    model = fixed()
    alone = speak(model, HISTORIES, [TopK(k=5)])["top-k"]
    together = speak(model, HISTORIES, [HardLabel(), TopK(k=5), UserVectors()])["top-k"]
    for name in alone:
        np.testing.assert_array_equal(alone[name], together[name])


def test_nobody_asked_gives_columns_of_no_rows(fixed):
    said = speak(fixed(), HISTORIES.take(slice(0, 0)), [TopK(k=5), HardLabel()])
    assert said["top-k"]["items"].shape == (0, 5)
    assert said["hard-label"]["confidence"].shape == (0,)


def test_a_diverged_teacher_may_not_speak(fixed):
    model = fixed()
    model.network.get_buffer("outward")[3] = torch.nan
    with pytest.raises(RecDistillError, match="not numbers"):
        speak(model, HISTORIES, [TopK(k=5)])
