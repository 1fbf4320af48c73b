"""`experts` against the paper's sum, expert by expert, and that a gate beats one net for all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import softmax
from vector_objectives import bridge_of, loss_of, vectors

from recdistill.distill.objectives.experts import DistillationExperts, mixture
from recdistill.models.geometry import squared_distance


def slow_loss(bridge, student, teacher, noise, temperature):
    """Σ_m s_m E_m of each row, every expert a net of two layers, in numpy."""
    rows, target = student.detach().numpy(), teacher.numpy()
    target = target - target.mean(0)
    target = target / np.sqrt((target**2).mean())
    state = {name: part.detach().numpy() for name, part in bridge.named_parameters()}
    count, inner, _ = state["weights"].shape
    losses = []
    for row, wanted, g in zip(rows, target, noise.numpy(), strict=True):
        chances = softmax(state["gate.weight"] @ wanted + state["gate.bias"])
        shares = softmax((np.log(chances) + g) / temperature)
        made = np.zeros_like(wanted)
        for m in range(count):
            part = slice(m * inner, (m + 1) * inner)
            hidden = np.maximum(state["first.weight"][part] @ row + state["first.bias"][part], 0)
            made += shares[m] * (hidden @ state["weights"][m] + state["biases"][m])
        losses.append(((made - wanted) ** 2).mean())
    return losses


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_every_expert_by_itself(temperature):
    student, teacher = vectors(6, 4), 3 * vectors(6, 5, seed=1) + 2
    objective = DistillationExperts(experts=3, inner=7, temperature=temperature)
    bridge = bridge_of(objective, 4, teacher)
    found = loss_of(objective, student, teacher, bridge, seed=8)
    torch.manual_seed(8)
    noise = -torch.empty(6, 3, dtype=torch.float64).exponential_().log()
    wanted = slow_loss(bridge, student, teacher, noise, temperature)
    assert found.tolist() == pytest.approx(wanted, rel=1e-9)


def test_gradients_by_finite_differences_reach_student_gate_and_experts():
    teacher = vectors(6, 5, seed=1)
    objective = DistillationExperts(experts=3, inner=7, temperature=1.0)
    bridge = bridge_of(objective, 4, teacher)
    inputs = (vectors(6, 4).requires_grad_(), *bridge.parameters())
    assert len(inputs) == 1 + 6
    assert torch.autograd.gradcheck(lambda s, *_: loss_of(objective, s, teacher, bridge), inputs)


def test_a_hard_choice_is_one_expert():
    hidden, weights, biases = (
        vectors(4, 6).view(4, 2, 3),
        vectors(6, 5, 1).view(2, 3, 5),
        vectors(2, 5, 2),
    )
    shares = torch.tensor([[1.0, 0], [0, 1], [0.5, 0.5], [0, 0]], dtype=torch.float64)
    found = mixture(hidden, shares, weights, biases)
    said = [[hidden[row, m] @ weights[m] + biases[m] for m in range(2)] for row in range(4)]
    torch.testing.assert_close(found[0], said[0][0])
    torch.testing.assert_close(found[1], said[1][1])
    torch.testing.assert_close(found[2], (said[2][0] + said[2][1]) / 2)
    assert not found[3].any()


def test_the_teacher_s_size_and_position_do_not_count():
    student, teacher = vectors(6, 4), vectors(6, 5, seed=1)
    objective = DistillationExperts(experts=3)
    found = loss_of(objective, student, 1000 * teacher - 50)
    torch.testing.assert_close(found, loss_of(objective, student, teacher))


def test_experts_that_say_the_mean_leave_all_of_the_variance():
    student, teacher = vectors(50, 4), 3 * vectors(50, 5, seed=1) + 2
    objective = DistillationExperts(experts=3)
    bridge = bridge_of(objective, 4, teacher)
    torch.nn.init.zeros_(bridge.weights)
    assert loss_of(objective, student, teacher, bridge).mean().item() == pytest.approx(1)


def trained(parts, loss):
    """The loss after 300 steps that lower its mean over `parts`; `loss` is told how far it is."""
    optimiser = torch.optim.Adam(parts.parameters(), lr=0.02)
    for step in range(300):
        optimiser.zero_grad()
        loss(step / 300).mean().backward()
        optimiser.step()
    return loss(1.0).mean().item()


def test_a_gate_tells_what_one_net_for_all_cannot():
    """Two kinds of rows whose teacher's vectors are opposite maps of the same student's vectors."""
    student, kind = vectors(400, 3), torch.arange(400) % 2
    sign = (2.0 * kind - 1)[:, None].double()
    teacher = torch.cat([sign * (student @ vectors(3, 3, seed=1)), 3 * sign], 1)
    objective = DistillationExperts(experts=4, inner=8)
    bridge = bridge_of(objective, 3, teacher)
    gated = trained(bridge, lambda p: objective(student, teacher, bridge, objective.knobs(p, {})))
    alone = torch.nn.Sequential(
        torch.nn.Linear(3, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4)
    ).double()
    hinted = trained(alone, lambda _: squared_distance(alone(student), bridge.target(teacher)))
    assert gated < 0.1 < 0.4 < hinted
    chosen = bridge.choice(teacher)
    assert not set(chosen[kind == 0].tolist()) & set(chosen[kind == 1].tolist())


def test_the_choice_hardens_by_default():
    objective = DistillationExperts()
    found = [objective.knobs(progress, {})["temperature"] for progress in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([1.0, 0.55, 0.1])


def test_more_experts_than_vectors_are_told():
    assert list(DistillationExperts().advice({"vectors": vectors(200, 3)})) == []
    (line,) = DistillationExperts().advice({"vectors": vectors(6, 3).repeat(9, 1)})
    assert line.startswith("10 experts for 6 different vectors")
    assert line.endswith("at most 2.")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"experts": 1}, "experts"),
        ({"temperature": 0.0}, "at least 0.001"),
        ({"temperature": {"kind": "linear", "from": 1, "to": -1}}, "reaches -1"),
        ({"inner": 0}, "inner"),
    ],
)
def test_what_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        DistillationExperts.model_validate(wrong)
