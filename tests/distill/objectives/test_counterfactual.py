"""`counterfactual` against loops over single histories, and in a world whose effects are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from confounded import ITEMS, errors, log, model, train
from pydantic import ValidationError

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, NextItem
from recdistill.distill.objectives.counterfactual import Counterfactual
from recdistill.distill.output import Output
from recdistill.distill.worlds import importance
from recdistill.models.internals import Anatomy
from recdistill.training.step import Moment, TorchBatch

START = Moment(step=0, steps=11, epoch=0, feedback={})


ROWS = [[1, 4], [2, 9, 3], [14, 0, 6, 7], [8, 8, 1, 5, 2], [3, 12, 11, 10, 13], [4, 6, 9, 0, 2, 1]]


@pytest.fixture
def batch():
    return TorchBatch.of(TrainingBatches(Sequences.from_lists(ROWS), 5, 6, 0).batch(0, 0))


def precise(width, seed):
    made = model(width, seed, history=5)
    made.network.double()
    with torch.no_grad():
        made.network.items.vectors.normal_(std=0.7)
    return made


@pytest.fixture
def student():
    return precise(8, 1)


@pytest.fixture
def teacher():
    made = precise(12, 2)
    made.network.eval()
    return made


def loss_of(objective, student, teacher, batch, seed=0):
    said = Output.of(teacher, batch).detached()
    torch.manual_seed(seed)
    return objective(Output.of(student, batch), said, torch.nn.Identity(), objective.knobs(0.0, {}))


def histories(batch):
    """The histories of a batch as lists, and where each begins."""
    found = []
    for first, rows, length in batch.runs:
        for row in range(rows):
            begin = first + row * length
            found.append((begin, batch.items[begin : begin + length].tolist()))
    return found


def listed(made, items):
    """log p after each event of one history, asked prefix by prefix."""
    prefixes = Sequences.from_lists([items[: end + 1] for end in range(len(items))])
    return torch.log_softmax(made.states(prefixes) @ made.item_table().T, 1)


def unseen(made, items, place):
    """The same, where the event at `place` has no vector."""
    table = torch.cat([made.item_table(), torch.zeros_like(made.item_table()[:1])])
    items = [*items[:place], ITEMS, *items[place + 1 :]]
    places, runs = torch.arange(len(items)), ((0, 1, len(items)),)
    made.network.eval()
    states = made.network(table, torch.tensor(items), places, runs)
    made.network.train()
    return torch.log_softmax(states @ made.item_table().T, 1)


def reference(objective, student, teacher, batch, seed=0):
    """The losses in the order of positions, by loops."""
    scores = importance(Output.of(teacher, batch))
    torch.manual_seed(seed)
    if objective.chosen == "random":
        scores = torch.rand(len(batch))
    elif objective.chosen == "least":
        scores = -scores
    rows = histories(batch)
    shifts = torch.randint(1, ITEMS, (len(rows),)) if objective.world == "substitute" else None
    losses = []
    for row, (begin, items) in enumerate(rows):
        place = max(range(len(items)), key=lambda one: (float(scores[begin + one]), -one))
        worlds = []
        for made in (student, teacher):
            if shifts is None:
                other = unseen(made, items, place)
            else:
                swapped = list(items)
                swapped[place] = (items[place] + int(shifts[row])) % ITEMS
                other = listed(made, swapped)
            worlds.append((listed(made, items), other))
        for position in range(place, len(items)):
            (real, unreal), (said, denied) = [(a[position], b[position]) for a, b in worlds]
            if objective.match == "invariant":
                far = (said.exp() * (said - denied)).sum()
                loss = torch.exp(-far / objective.tolerance) * (real.exp() * (real - unreal)).sum()
            else:
                target = int(batch.targets[begin + position])
                liking = [max(a, b) for a, b in zip(said.tolist(), denied.tolist(), strict=True)]
                order = sorted(range(ITEMS), key=lambda i: (i != target, -liking[i]))
                gaps = [
                    ((real[i] - unreal[i]) - (said[i] - denied[i])) ** 2
                    for i in order[: objective.items]
                ]
                loss = sum(gaps) / len(gaps)
            losses.append(loss)
    return torch.stack(losses).detach()


@pytest.mark.parametrize("match", ["effect", "invariant"])
@pytest.mark.parametrize("chosen", ["random", "most", "least"])
@pytest.mark.parametrize("world", ["substitute", "remove"])
def test_it_is_what_loops_find(student, teacher, batch, world, chosen, match):
    batch.targets[::3] = -1
    objective = Counterfactual(world=world, chosen=chosen, match=match, items=4, tolerance=0.5)
    found = loss_of(objective, student, teacher, batch)
    wanted = reference(objective, student, teacher, batch)
    assert len(wanted) > 6
    torch.testing.assert_close(found.detach(), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("world", ["substitute", "remove"])
def test_a_student_that_is_its_teacher_has_nothing_to_learn(student, batch, world):
    found = loss_of(Counterfactual(world=world), student, student, batch)
    assert found.abs().max() < 1e-20


def test_invariance_asks_nothing_where_the_event_mattered(student, teacher, batch):
    strict = Counterfactual(match="invariant", tolerance=1e-9)
    assert loss_of(strict, student, teacher, batch).max() < 1e-12
    loose = Counterfactual(match="invariant", tolerance=1e9)
    assert loss_of(loose, student, teacher, batch).max() > 1e-3


def test_dropout_does_not_pass_for_an_effect(batch):
    student = precise(8, 1)
    student.network.drop.rate = 0.5
    alike = Output.of(student, batch).detached()
    found = loss_of(Counterfactual(), student, alike.model, batch)
    assert found.abs().max() < 1e-20
    assert student.network.training


def test_no_more_positions_are_asked_about_than_the_sample(student, teacher, batch):
    whole = loss_of(Counterfactual(), student, teacher, batch)
    some = loss_of(Counterfactual(sample=3), student, teacher, batch)
    assert len(some) == 3 < len(whole)
    assert all(any(torch.isclose(one, other) for other in whole) for one in some)


@pytest.mark.parametrize("match", ["effect", "invariant"])
def test_the_gradient_is_the_slope_and_only_the_students(student, teacher, batch, match):
    objective = Counterfactual(match=match)
    loss_of(objective, student, teacher, batch).mean().backward()
    weight = student.network.blocks[0].widen.weight
    found, step = weight.grad[2, 3].item(), 1e-5
    values = []
    for move in (step, -2 * step):
        with torch.no_grad():
            weight[2, 3] += move
        values.append(loss_of(objective, student, teacher, batch).mean().item())
    assert found == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)
    assert all(part.grad is None for part in teacher.network.parameters())


def test_half_precision_on_the_way_in_is_mended(student, teacher, batch):
    student.network.float()
    teacher.network.float()
    half = Output.of(student, batch)
    half = replace(half, table=half.table.bfloat16(), states=half.states.bfloat16())
    objective = Counterfactual()
    found = objective(half, Output.of(teacher, batch).detached(), torch.nn.Identity(), {})
    assert found.dtype == torch.float32


def test_it_looks_at_answers_only():
    objective = Counterfactual()
    assert not objective.watches
    assert not list(objective.bridge(Anatomy(1, 8, 1), Anatomy(2, 12, 2)).parameters())


def test_a_student_cannot_be_compared_with_itself():
    with pytest.raises(ValidationError, match="its own already"):
        Counterfactual(of="itself")


def test_it_is_a_term_of_the_loss(student, teacher, batch):
    student.network.float()
    teacher.network.float()
    objective = Counterfactual(weight=0.5)
    loss = DistillationLoss(student, [objective], {}, torch.ones(ITEMS), teacher=teacher)
    torch.manual_seed(0)
    found = loss(batch, START)
    wanted = loss_of(objective, student, teacher, batch).mean()
    torch.testing.assert_close(found.terms["counterfactual"], wanted.detach())
    torch.testing.assert_close(found.total, 0.5 * wanted)


@pytest.fixture(scope="module")
def experimenter():
    """A teacher that saw an experiment, in which decoration is drawn by itself."""
    return train(model(16, 0), log(4000, 0, 0.0), [NextItem()], 300, 0)


@pytest.mark.slow  # an experimenter and three trainings for each seed
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_effects_are_estimated_better_where_the_log_confounds_them(experimenter, seed):
    """Its students saw a log only, in which decoration goes with its driver."""
    confounded = log(300, 100 + seed, 0.97)
    plain = (NextItem(), KL(of="teacher"))
    found = {
        name: errors(train(model(8, 50 + seed), confounded, terms, 200, seed, experimenter))
        for name, terms in {
            "plain": plain,
            "effect": (*plain, Counterfactual()),
            "invariant": (*plain, Counterfactual(match="invariant")),
        }.items()
    }
    assert errors(experimenter)["both"] < 0.6 * found["plain"]["both"]
    assert found["effect"]["both"] < 0.85 * found["plain"]["both"]
    assert found["effect"]["decoration"] < 0.8 * found["plain"]["decoration"]
    assert found["invariant"]["decoration"] < 0.7 * found["plain"]["decoration"]
