"""Probabilities against loops in float64 and scikit-learn's reliability curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.evaluation.calibration import Beliefs, beliefs, calibration_error, mean_facts
from recdistill.models.sasrec import SASRec


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_error_is_that_of_the_reliability_curve(seed, bins):
    random = np.random.default_rng(seed)
    confidence = random.random(30 * bins)
    right = random.random(len(confidence)) < confidence**2
    hit, sure = calibration_curve(right, confidence, n_bins=bins, strategy="quantile")
    inner = np.percentile(confidence, np.linspace(0, 100, bins + 1))[1:-1]
    counts = [sum((confidence > low) & (confidence <= high))
              for low, high in zip([-1, *inner], [*inner, 2], strict=True)]  # fmt: skip
    wanted = float((counts * np.abs(hit - sure)).sum() / len(confidence))
    assert calibration_error(confidence, right, bins) == pytest.approx(wanted, rel=1e-9)
    if bins == 1:
        assert calibration_error(confidence, right, 1) == pytest.approx(
            abs(confidence.mean() - right.mean())
        )


def test_by_hand():
    """Two bins: sure .2 and right half the time, sure .8 and right half the time."""
    confidence = np.array([0.2, 0.2, 0.8, 0.8])
    right = np.array([True, False, True, False])
    assert calibration_error(confidence, right, 2) == pytest.approx(0.3)
    assert calibration_error(confidence[:0], right[:0]) == 0.0


def test_equal_confidences_share_a_bin():
    """Whatever the order: a constant model errs by its mean alone."""
    confidence, right = np.full(100, 0.3), np.arange(100) < 30
    assert calibration_error(confidence, right) == pytest.approx(0.0)
    assert calibration_error(confidence, right[::-1]) == pytest.approx(0.0)


@given(st.integers(0, 2**32 - 1))
def test_a_model_that_knows_itself_errs_by_chance_only(seed):
    random = np.random.default_rng(seed)
    confidence = random.random(20_000)
    right = random.random(20_000) < confidence
    assert calibration_error(confidence, right) < 0.03
    assert calibration_error(np.minimum(1, confidence + 0.2), right) > 0.1


def test_beliefs_are_a_softmax_over_the_whole_catalogue(tiny_dataset):
    model = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, seed=3)
    with torch.no_grad():
        model.network.items.vectors.mul_(30)
    cases = tiny_dataset.valid.take(slice(0, 20))
    found = beliefs(model, cases)
    scores = model.score(model.states(model.trimmed(cases.histories))).double().tolist()
    for case, row in enumerate(scores):
        total = math.fsum(math.exp(z - max(row)) for z in row)
        answer = int(cases.targets[case][0])
        assert found.confidence[case] == pytest.approx(1 / total, rel=1e-5)
        assert found.log_likelihood[case] == pytest.approx(
            row[answer] - max(row) - math.log(total), rel=1e-4, abs=1e-5
        )
        assert found.right[case] == (row.index(max(row)) == answer)
    assert found.facts()["confidence"] == pytest.approx(found.confidence.mean())


def test_any_of_several_targets_is_right(tiny_dataset):
    model = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, seed=3)
    histories = Sequences.from_lists([[1, 2], [1, 2]])
    best = int(model.score(model.states(histories))[0].argmax())
    other = (best + 1) % tiny_dataset.num_items
    targets = Sequences.from_lists([[other, best], [other]])
    found = beliefs(model, Cases(np.array([0, 1], dtype=np.int32), histories, targets))
    assert found.right.tolist() == [True, False]


def test_facts_of_seeds_are_averaged():
    def one(confidence):
        values = np.full(4, confidence)
        return Beliefs(values, values > 0.5, np.log(values))

    found = mean_facts([one(0.25), one(0.75)])
    assert found["confidence"] == 0.5
    assert found["top_1"] == 0.5
    assert found["calibration_error"] == pytest.approx(0.25)
