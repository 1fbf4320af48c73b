"""`mse` against numpy, and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logit_objectives import check_chunks, check_gradients, each, student, top_k

from recdistill.distill.objectives.kl import KL
from recdistill.distill.objectives.mse import MSE
from recdistill.distill.objectives.scales import centred, standardised

SCALES = ["raw", "centred", "standardised"]


def reference(scale, logits):
    if scale != "raw":
        logits = logits - logits.mean(1, keepdims=True)
    return logits / logits.std(1, keepdims=True) if scale == "standardised" else logits


@pytest.mark.parametrize("scale", SCALES)
def test_against_numpy(scale):
    states, table = student()
    signal, _ = top_k()
    ours = (states @ table.T).gather(1, signal["items"]).numpy()
    wanted = (reference(scale, ours) - reference(scale, signal["logits"].numpy())) ** 2
    found = each(MSE(scale=scale), states, table, signal)
    np.testing.assert_allclose(found, wanted.mean(1), rtol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_gradients_by_finite_differences_and_in_chunks(scale):
    signal, _ = top_k()
    assert check_gradients(MSE(scale=scale), signal)
    check_chunks(MSE(scale=scale), signal)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.1, 20), st.floats(-30, 30))
def test_invariances(factor, shift):
    """Standardised: of scale and shift; centred: of shift; raw: of neither."""
    states, table = student()
    signal, _ = top_k()
    moved = {**signal, "logits": signal["logits"] + shift}
    scaled = {**signal, "logits": signal["logits"] * factor + shift}
    plain = {scale: each(MSE(scale=scale), states, table, signal) for scale in SCALES}
    torch.testing.assert_close(each(MSE(scale="centred"), states, table, moved), plain["centred"])
    torch.testing.assert_close(
        each(MSE(), states, table, scaled), plain["standardised"], rtol=1e-6, atol=1e-9
    )
    if abs(shift) > 1:
        assert not torch.allclose(each(MSE(scale="raw"), states, table, moved), plain["raw"])


def test_centred_is_the_limit_of_kl():
    states, table = student()
    signal, _ = top_k()
    torch.testing.assert_close(
        2 * each(KL(temperature=1e4), states, table, signal),
        each(MSE(scale="centred"), states, table, signal),
        rtol=1e-3,
        atol=1e-6,
    )


def test_zero_where_the_student_is_the_teacher():
    states, table = student()
    best, items = (states @ table.T).topk(4)
    for scale in SCALES:
        loss = each(MSE(scale=scale), states, table, {"items": items, "logits": best})
        assert loss.abs().max() < 1e-20


def test_constant_rows_standardise_to_zero_with_finite_gradients():
    logits = torch.full((2, 5), 3.0, requires_grad=True)
    standardised(logits).sum().backward()
    assert standardised(logits).abs().max() == 0
    assert logits.grad.isfinite().all()
    assert centred(logits).abs().max() == 0


def test_never_asks_for_the_whole_catalogue():
    assert not MSE().dense
