"""`soft-cross-entropy` against torch's cross-entropy with soft labels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import ITEMS, check_contract, each, listed, student, top_k
from pydantic import ValidationError

from recdistill.distill.objectives import KL, SoftCrossEntropy


def test_contract():
    check_contract(SoftCrossEntropy(temperature=1.5))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_against_torch_over_the_whole_catalogue(temperature):
    states, table = student()
    signal, _ = top_k()
    labels = torch.zeros(len(states), ITEMS, dtype=torch.float64)
    labels.scatter_(1, signal["items"], torch.softmax(signal["logits"] / temperature, 1))
    wanted = torch.nn.functional.cross_entropy(
        states @ table.T / temperature, labels, reduction="none"
    )
    found = each(SoftCrossEntropy(temperature=temperature), states, table, signal)
    torch.testing.assert_close(found, temperature**2 * wanted)


def test_is_the_entropy_the_divergence_within_and_the_mass_of_the_list():
    states, table = student()
    signal, _ = top_k()
    teacher = torch.softmax(signal["logits"], 1)
    entropy = torch.distributions.Categorical(teacher).entropy()
    mass = torch.softmax(states @ table.T, 1).gather(1, signal["items"]).sum(1)
    wanted = entropy + each(KL(), states, table, signal) - mass.log()
    torch.testing.assert_close(each(SoftCrossEntropy(), states, table, signal), wanted)


def test_pushes_down_what_is_not_listed_and_kl_does_not():
    signal = listed(torch.tensor([[3.0, 2.0, 1.0, -9.0, -9.0]], dtype=torch.float64), k=3)
    moved = []
    for objective in (SoftCrossEntropy(), KL()):
        states = torch.ones(1, 1, dtype=torch.float64)
        table = torch.zeros(5, 1, dtype=torch.float64, requires_grad=True)
        each(objective, states, table, signal, torch.tensor([0])).backward()
        moved.append(table.grad[3:, 0])
    assert (moved[0] > 0).all()
    assert (moved[1] == 0).all()


@given(st.floats(-50, 50))
def test_a_shift_of_the_teachers_logits_changes_nothing(shift):
    states, table = student()
    signal, _ = top_k()
    moved = {**signal, "logits": signal["logits"] + shift}
    torch.testing.assert_close(
        each(SoftCrossEntropy(), states, table, moved),
        each(SoftCrossEntropy(), states, table, signal),
    )


def test_advises_on_lists_that_hold_little():
    signal, _ = top_k()
    faint = {**signal, "rest": torch.full_like(signal["rest"], -0.01)}
    assert any(
        "1.0 % of the teacher's probability" in said for said in SoftCrossEntropy().advice(faint)
    )
    full = {**signal, "rest": torch.full_like(signal["rest"], -1.0)}
    assert not list(SoftCrossEntropy().advice(full))


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"on": "item-vectors"}, {"rest": "bucket"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        SoftCrossEntropy.model_validate(wrong)
