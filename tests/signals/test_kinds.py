from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError
from scipy.special import log_softmax, rel_entr, softmax

from recdistill.signals import HardLabel, ItemVectors, SignalKind, TopK, UserVectors
from recdistill.signals.kinds import KINDS

signal_kind = TypeAdapter(SignalKind)


def test_each_kind_is_chosen_by_its_name_and_survives_a_round_trip():
    kinds = [TopK(k=7, temperature=2.0), ItemVectors(), UserVectors(), HardLabel()]
    assert tuple(kind.kind for kind in kinds) == KINDS
    for kind in kinds:
        assert signal_kind.validate_python(kind.model_dump(mode="json")) == kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "top-k", "k": 0},
        {"kind": "top-k", "temperature": 0.0},
        {"kind": "top-k", "top": 3},
        {"kind": "top-K"},
        {},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        signal_kind.validate_python(wrong)


def test_fields_have_the_width_of_the_list_or_of_the_vectors():
    shapes = {field.name: field.shape for field in TopK(k=20).fields(items=500, width=8)}
    assert shapes == {"items": (20,), "logits": (20,), "rest": ()}
    assert UserVectors().fields(items=500, width=8)[0].shape == (8,)
    assert ItemVectors().fields(items=500, width=8)[0].shape == (8,)
    assert [field.name for field in HardLabel().fields(500, 8)] == ["items", "confidence"]


def test_a_list_is_never_longer_than_the_catalogue():
    assert TopK(k=100).fields(items=3, width=8)[0].shape == (3,)


def test_row_bytes_are_those_of_the_numpy_types():
    fields = TopK(k=100).fields(items=1000, width=8)
    dtype = np.dtype([(field.name, field.dtype, field.shape) for field in fields])
    assert sum(field.row_bytes for field in fields) == dtype.itemsize == 604


@given(
    arrays(np.float64, 60, elements=st.floats(-30, 30)),
    st.sampled_from([0.5, 1.0, 2.0, 5.0]),
)
def test_half_precision_changes_no_distribution_that_a_student_could_notice(scores, temperature):
    """The reason for float16: KL between what was said and what is stored stays below 1e-5 nats."""
    logits = temperature * log_softmax(scores / temperature)
    stored = logits.astype(np.float16).astype(np.float64)
    assert np.all(np.abs(stored - logits) <= np.abs(logits) / 2048 + 2.0**-24)
    exact, kept = softmax(logits / temperature), softmax(stored / temperature)
    assert rel_entr(exact, kept).sum() < 1e-5
