"""Labels and scores, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, roc_auc_score

from recdistill.errors import DataError
from recdistill.evaluation import classification


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=60))
@settings(max_examples=100, deadline=None)
def test_agrees_with_scikit_learn_ties_included(examples: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in examples])
    scores = np.array([float(score) for _, score in examples])
    expected = accuracy_score(labels, scores > 0.5)
    np.testing.assert_allclose(classification.accuracy(labels, scores, 0.5), expected, atol=1e-12)
    if 0 < labels.sum() < len(labels):
        found = classification.auc(labels, scores)
        np.testing.assert_allclose(found, roc_auc_score(labels, scores), rtol=0, atol=1e-9)


def test_auc_needs_both_labels() -> None:
    with pytest.raises(DataError, match="all labels are the same"):
        classification.auc(np.ones(3, bool), np.arange(3.0))


def test_accuracy_needs_an_example() -> None:
    with pytest.raises(DataError, match="at least one"):
        classification.accuracy(np.empty(0, bool), np.empty(0))


@pytest.mark.parametrize("measure", [classification.auc, classification.accuracy])
def test_a_score_that_is_no_number_is_refused(measure) -> None:
    with pytest.raises(DataError, match="1 of 2 scores"):
        measure(np.array([True, False]), np.array([0.1, np.nan]))
