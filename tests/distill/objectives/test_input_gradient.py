"""`input-gradient` against whole Jacobians by finite differences, and every choice of signs."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from live import batch_of, bridge_of, check_gradients, losses, model, outputs
from pydantic import ValidationError

from recdistill.distill.objectives import InputGradient
from recdistill.distill.objectives.input_gradient import log_chances, projected

STUDENT, TEACHER = {"width": 8, "blocks": 1}, {"width": 12, "blocks": 2, "heads": 3, "seed": 3}
ITEMS = torch.arange(12)
RAW = InputGradient(scale="raw")


def answers(made, batch, gates, items=ITEMS):
    """f of each position, by the whole softmax; 0 where the next item is unknown."""
    table = made.item_table().detach()
    logs = (made.encode(batch, table, gates) @ table[items].T).log_softmax(1)
    return torch.where(
        batch.targets >= 0, logs.gather(1, batch.targets.clamp_min(0)[:, None])[:, 0], 0.0
    )


@torch.no_grad()
def jacobian(made, batch, step=1e-5):
    """∂f_i / ∂g_j for all i and j, by finite differences."""
    columns = []
    for event in range(len(batch)):
        sides = []
        for sign in (1, -1):
            gates = torch.ones(len(batch), dtype=torch.float64)
            gates[event] += sign * step
            sides.append(answers(made, batch, gates))
        columns.append((sides[0] - sides[1]) / (2 * step))
    return torch.stack(columns, 1)


def test_open_gates_change_nothing_and_closed_ones_take_the_event_out():
    made, batch = model(**STUDENT), batch_of([[3, 1, 4], [9, 2, 6]])
    plain = made.encode(batch)
    torch.testing.assert_close(made.encode(batch, gates=torch.ones(6, dtype=torch.float64)), plain)
    gates = torch.ones(6, dtype=torch.float64)
    gates[1] = 0
    table = made.item_table().detach().clone()
    table[batch.items[1]] = 0
    torch.testing.assert_close(made.encode(batch, gates=gates), made.encode(batch, table))


@pytest.mark.parametrize("config", [STUDENT, TEACHER, {"positions": "rotary"}])
@pytest.mark.parametrize("further", [False, True])
def test_projections_are_those_of_the_whole_jacobian(config, further):
    made, batch = model(**config), batch_of()
    own, _ = outputs(made, made, batch, watch=False)
    whole = jacobian(made, batch)
    assert (whole.triu(1).abs() < 1e-9).all(), "what comes later is unseen"
    signs = torch.randint(2, (len(batch),)) * 2 - 1
    found = projected(own, batch, ITEMS, signs, further=further)
    torch.testing.assert_close(found.detach(), whole.T @ signs.double(), rtol=1e-6, atol=1e-8)
    assert found.requires_grad == further


def test_over_all_signs_the_mean_is_the_distance_of_the_jacobians():
    """E ‖(J_S − J_T)ᵀ v‖² = ‖J_S − J_T‖²: all 2⁵ choices of v for a history of five."""
    batch = batch_of([[3, 1, 4, 1, 5]])
    batch.targets.clamp_(min=0)
    student, teacher = model(**STUDENT), model(**TEACHER)
    own, other = outputs(student, teacher, batch, watch=False)
    total = torch.zeros((), dtype=torch.float64)
    for signs in map(torch.tensor, product((-1, 1), repeat=5)):
        apart = projected(own, batch, ITEMS, signs) - projected(other, batch, ITEMS, signs)
        total += apart.square().sum() / 2**5
    wanted = (jacobian(student, batch) - jacobian(teacher, batch)).square().sum()
    torch.testing.assert_close(total, wanted, rtol=1e-6, atol=0)


def test_the_loss_is_an_estimate_of_that_distance():
    batch = batch_of([[3, 1, 4, 1, 5], [2, 7, 1]])
    student, teacher = model(**STUDENT), model(**TEACHER)
    known = batch.targets[batch.targets >= 0].unique()
    own, other = outputs(student, teacher, batch, watch=False)
    torch.manual_seed(4)
    torch.randperm(len(known))  # the items are drawn first
    signs = torch.randint(2, (len(batch),)) * 2 - 1
    wanted = projected(own, batch, known, signs) - projected(other, batch, known, signs)
    found = losses(RAW, student, teacher, batch=batch, seed=4)
    torch.testing.assert_close(found.detach(), wanted.square())


def test_scaled_by_history_it_is_one_minus_the_cosine():
    batch = batch_of([[3, 1, 4, 1], [2, 7, 1, 8], [6, 1]])
    student, teacher = model(**STUDENT), model(**TEACHER)
    known = batch.targets[batch.targets >= 0].unique()
    own, other = outputs(student, teacher, batch, watch=False)
    found = losses(InputGradient(), student, teacher, batch=batch, seed=4)
    torch.manual_seed(4)
    torch.randperm(len(known))
    signs = torch.randint(2, (len(batch),)) * 2 - 1
    pair = [projected(side, batch, known, signs) for side in (own, other)]
    for part in (slice(0, 2), slice(2, 6), slice(6, 10)):
        cosine = torch.cosine_similarity(pair[0][part], pair[1][part], dim=0)
        torch.testing.assert_close(found[part].mean().detach(), 2 * (1 - cosine))


@pytest.mark.parametrize("scale", ["raw", "history"])
def test_gradients(scale):
    """Through derivatives of derivatives, against finite differences."""
    check_gradients(InputGradient(scale=scale), model(**STUDENT), model(**TEACHER))


def test_single_precision_gives_the_same_gradients():
    """There, on a processor, products go another way."""
    found = []
    for dtype in (torch.float64, torch.float32):
        student, teacher = model(**STUDENT, dtype=dtype), model(**TEACHER, dtype=dtype)
        losses(RAW, student, teacher).mean().backward()
        found.append([weight.grad for weight in student.network.parameters()])
    for exact, single in zip(*found, strict=True):
        assert (exact is None) == (single is None)
        if exact is not None:
            torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scale", ["raw", "history"])
def test_a_student_that_is_its_teacher_has_nothing_to_learn(scale):
    found = losses(InputGradient(scale=scale), model(), model())
    torch.testing.assert_close(found, torch.zeros_like(found))
    assert bridge_of(RAW, model(), model()).state_dict() == {}


def test_a_history_that_says_nothing_gives_no_gradient_that_is_not_a_number():
    """A single position whose next item is unknown has a derivative of 0, which has no direction."""
    batch = batch_of([[3], [1, 4]])
    batch.targets[0] = -1
    student = model(**STUDENT)
    found = losses(InputGradient(), student, model(**TEACHER), batch=batch)
    found.sum().backward()
    assert found[0] == 0
    assert all(
        weight.grad is None or weight.grad.isfinite().all()
        for weight in student.network.parameters()
    )


def test_nothing_is_known_of_what_came_next():
    batch = batch_of()
    batch.targets.fill_(-1)
    assert losses(RAW, model(**STUDENT), model(**TEACHER), batch=batch).abs().max() == 0


def test_chances_are_among_the_sample_and_the_answer_itself():
    states, table = torch.randn(4, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    targets, items = torch.tensor([2, 5, -1, 0]), torch.tensor([0, 2, 3])
    found = log_chances(states, table, targets, items)
    for place, among in ((0, [0, 2, 3]), (1, [0, 2, 3, 5]), (3, [0, 2, 3])):
        logits = states[place] @ table.T
        torch.testing.assert_close(
            found[place], logits[targets[place]] - logits[among].logsumexp(0)
        )
    assert found[2] == 0


def test_dropout_sleeps_and_wakes_again():
    student, teacher = model(**STUDENT, dropout=0.5), model(**TEACHER)
    student.network.train()
    start = student.network.start.clone()
    own, other = outputs(student, teacher, watch=False)
    kept = student.network.start.clone()
    assert not torch.equal(start, kept)  # the pass of the step itself does remember
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        found.append(RAW(own, other, torch.nn.Identity(), {}))
    assert torch.equal(*found)
    assert student.network.training
    assert torch.equal(student.network.start, kept)
    asleep = losses(RAW, model(**STUDENT), teacher)
    torch.testing.assert_close(found[0], asleep)


def test_no_gradient_reaches_the_teacher():
    student, teacher = model(**STUDENT), model(**TEACHER)
    losses(RAW, student, teacher).sum().backward()
    assert all(weight.grad is None for weight in teacher.network.parameters())
    assert any(weight.grad is not None for weight in student.network.parameters())


def test_histories_and_items_are_no_more_than_asked_for():
    student, teacher = model(**STUDENT), model(**TEACHER)
    few = InputGradient(scale="raw", rows=2, sample=3)
    lengths = {len(losses(few, student, teacher, seed=seed)) for seed in range(20)}
    assert lengths == {a + b for a, b in ((1, 2), (1, 3), (1, 5), (2, 3), (3, 3), (2, 5), (3, 5))}
    again = [losses(few, student, teacher, seed=1) for _ in range(2)]
    assert torch.equal(*again)


def test_each_history_stands_alone():
    made, rows = model(**STUDENT), [[9, 2], [3, 1, 4], [6, 6, 5, 3]]
    signs = torch.randint(2, (9,)) * 2 - 1
    together = projected(
        outputs(made, made, batch_of(rows), watch=False)[0], batch_of(rows), ITEMS, signs
    )
    for number, part in enumerate((slice(0, 2), slice(2, 5), slice(5, 9))):
        batch = batch_of(rows).take(torch.tensor([number]))
        alone = projected(outputs(made, made, batch, watch=False)[0], batch, ITEMS, signs[part])
        torch.testing.assert_close(together[part], alone)


def test_the_student_is_no_teacher_of_its_own_gradients():
    with pytest.raises(ValidationError, match="learn `of` another"):
        InputGradient.model_validate({"of": "itself"})


def test_learning_brings_the_gradients_together():
    student, teacher = model(**STUDENT), model(**TEACHER)
    optimiser = torch.optim.Adam(student.network.parameters(), lr=0.02)
    objective, found = InputGradient(), []
    for step in range(60):
        loss = losses(objective, student, teacher, seed=step).mean()
        found.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert sum(found[-10:]) < 0.5 * sum(found[:10])
