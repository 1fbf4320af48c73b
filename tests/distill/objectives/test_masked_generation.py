"""`masked-generation` against the paper's formula, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from vector_objectives import bridge_of, loss_of, vectors

from recdistill.distill.objectives.masked_generation import MaskedGeneration, shown


def slow_loss(bridge, student, teacher, hidden):
    target = teacher.numpy() - teacher.numpy().mean(0)
    target = target / np.sqrt((target**2).mean())
    state = {name: part.detach().numpy() for name, part in bridge.named_parameters()}
    losses = []
    for row, mask, wanted in zip(student.numpy(), hidden.numpy(), target, strict=True):
        left = np.array([0.0 if gone else value for value, gone in zip(row, mask, strict=True)])
        inner = np.maximum(state["net.0.weight"] @ left + state["net.0.bias"], 0)
        made = state["net.2.weight"] @ inner + state["net.2.bias"]
        losses.append(sum((a - b) ** 2 for a, b in zip(made, wanted, strict=True)) / len(wanted))
    return losses


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.95])
def test_every_row(rate):
    student, teacher = vectors(9, 8), 3 * vectors(9, 5, seed=1) + 2
    objective = MaskedGeneration(rate=rate, inner=6)
    bridge = bridge_of(objective, 8, teacher)
    found = loss_of(objective, student, teacher, bridge, seed=3)
    torch.manual_seed(3)
    hidden = torch.rand(9, 8, dtype=torch.float64) < rate
    assert found.tolist() == pytest.approx(slow_loss(bridge, student, teacher, hidden), rel=1e-9)


def test_the_share_hidden_is_the_rate_and_what_is_left_keeps_its_size():
    seen = []
    teacher, student = vectors(400, 5), torch.full((400, 50), 2.0, dtype=torch.float64)
    objective = MaskedGeneration(rate=0.3)
    bridge = bridge_of(objective, 50, teacher)
    bridge.net.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs[0]))
    loss_of(objective, student, teacher, bridge)
    assert sorted(seen[0].unique().tolist()) == [0.0, 2.0]
    assert (seen[0] == 0).double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert len(seen[0].unique(dim=0)) == 400  # every row has a mask of its own


def test_shown_by_hand():
    hidden = torch.tensor([[True, False], [False, False]])
    assert shown(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), hidden).tolist() == [[0, 2], [3, 4]]


def test_gradients_by_finite_differences_and_none_to_what_is_hidden():
    teacher = vectors(6, 5, seed=1)
    objective = MaskedGeneration(inner=7)
    bridge = bridge_of(objective, 4, teacher)
    inputs = (vectors(6, 4).requires_grad_(), *bridge.parameters())
    assert len(inputs) == 1 + 4
    assert torch.autograd.gradcheck(lambda s, *_: loss_of(objective, s, teacher, bridge), inputs)
    loss_of(objective, inputs[0], teacher, bridge).sum().backward()
    torch.manual_seed(0)
    hidden = torch.rand(6, 4, dtype=torch.float64) < 0.5
    assert 0 < hidden.sum() < 24
    assert torch.equal(inputs[0].grad == 0, hidden)


def test_a_mask_makes_knowledge_spread():
    """A student that may keep all it knows in one feature does not when features are hidden."""
    teacher = vectors(200, 1, seed=1)

    def share_of_the_strongest(rate):
        student = 0.1 * vectors(200, 4)
        student[:, :1] = teacher
        student.requires_grad_()
        objective = MaskedGeneration(rate=rate, inner=16)
        bridge = bridge_of(objective, 4, teacher)
        optimiser = torch.optim.Adam([student, *bridge.parameters()], lr=0.01)
        for step in range(400):
            optimiser.zero_grad()
            loss_of(objective, student, teacher, bridge, seed=step).mean().backward()
            optimiser.step()
        both = torch.cat([student.detach(), teacher], 1).T
        correlations = both.corrcoef()[-1, :-1].square()
        return (correlations[0] / correlations.sum()).item()

    assert share_of_the_strongest(0.5) < 0.6 * share_of_the_strongest(0.0)


def test_nothing_learnt_leaves_all_of_the_variance():
    student, teacher = vectors(50, 4), 3 * vectors(50, 5, seed=1) + 2
    bridge = bridge_of(MaskedGeneration(), 4, teacher)
    for part in bridge.net[2].parameters():
        torch.nn.init.zeros_(part)
    loss = loss_of(MaskedGeneration(), student, teacher, bridge)
    assert loss.mean().item() == pytest.approx(1)


def test_the_rate_may_grow():
    objective = MaskedGeneration.model_validate(
        {"rate": {"kind": "linear", "from": 0.1, "to": 0.7}}
    )
    assert objective.knobs(0.5, {})["rate"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rate": 1.0}, "at most 0.95"),
        ({"rate": -0.1}, "at least 0"),
        ({"rate": {"kind": "linear", "from": 0, "to": 1}}, "reaches 0 … 1"),
        ({"inner": 0}, "inner"),
    ],
)
def test_what_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        MaskedGeneration.model_validate(wrong)
