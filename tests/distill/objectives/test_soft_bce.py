"""`soft-bce` against loops over single answers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import check_contract, each, listed, student, top_k
from pydantic import ValidationError

from recdistill.distill.objectives import SoftBCE

SCALES = ["raw", "centred", "standardised"]


def scaled(scale, row):
    if scale == "raw":
        return row
    mean = sum(row) / len(row)
    row = [value - mean for value in row]
    deviation = math.sqrt(sum(value**2 for value in row) / len(row))
    return [value / deviation for value in row] if scale == "standardised" else row


@pytest.mark.parametrize("scale", SCALES)
def test_contract(scale):
    check_contract(SoftBCE(scale=scale, temperature=2.0))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_against_loops(scale, temperature):
    states, table = student()
    signal, _ = top_k()
    found = each(SoftBCE(scale=scale, temperature=temperature), states, table, signal)
    ours = (states @ table.T).gather(1, signal["items"])
    for row, loss in enumerate(found.tolist()):
        total = 0.0
        pairs = zip(
            scaled(scale, signal["logits"][row].tolist()),
            scaled(scale, ours[row].tolist()),
            strict=True,
        )
        for t, s in pairs:
            q, p = 1 / (1 + math.exp(-t / temperature)), 1 / (1 + math.exp(-s / temperature))
            total -= q * math.log(p) + (1 - q) * math.log(1 - p)
        assert loss == pytest.approx(temperature**2 * total / ours.shape[1])


@pytest.mark.parametrize("scale", SCALES)
def test_least_where_the_student_is_the_teacher(scale):
    states, table = (part.requires_grad_() for part in student())
    signal = listed((states @ table.T).detach())
    best = each(SoftBCE(scale=scale), states, table, signal)
    best.sum().backward()
    assert table.grad.abs().max() < 1e-12
    other = {**signal, "logits": signal["logits"].flip(1)}
    assert (each(SoftBCE(scale=scale), states, table, other) > best + 1e-3).all()


@given(st.floats(0.2, 5), st.floats(-30, 30))
def test_invariances(factor, shift):
    """Standardised: of scale and shift of the teacher; centred: of shift."""
    states, table = student()
    signal, _ = top_k()
    for scale, by in (("centred", 1.0), ("standardised", factor)):
        moved = {**signal, "logits": signal["logits"] * by + shift}
        torch.testing.assert_close(
            each(SoftBCE(scale=scale), states, table, moved),
            each(SoftBCE(scale=scale), states, table, signal),
        )


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"scale": "log"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        SoftBCE.model_validate(wrong)
