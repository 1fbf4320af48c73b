"""Gradients of terms against each other: worked by hand, and by autograd without the distiller."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from spoken import oracle

from recdistill.data.batches import TrainingBatches
from recdistill.distill.lookup import lookups
from recdistill.distill.objectives import KL, Align, NextItem
from recdistill.distill.tension import (
    HELD_OUT,
    Look,
    Tension,
    _alone,
    _settle,
    answered,
    cosines,
    tension,
)
from recdistill.training.step import Moment, TorchBatch

MOMENT = Moment(step=5, steps=11, epoch=0, feedback={})
LOOK = Look(batches=3, rows=8, cases=20, steps=200)


def test_cosines_by_hand():
    """(1, 0), (1, 1), (−3, 0) and nothing."""
    vectors = np.array([[1.0, 0], [1, 1], [-3, 0], [0, 0]])
    found = cosines((vectors @ vectors.T)[None])[0]
    half = 1 / math.sqrt(2)
    assert found[:3, :3] == pytest.approx(
        np.array([[1, half, -1], [half, 1, -half], [-1, -half, 1]])
    )
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 3]).all()


def test_norms_are_those_of_items_and_encoder_together():
    made = Tension(("a", HELD_OUT), (1.0,), np.full((2, 2, 2), 9.0), np.full((2, 2, 2), 16.0))
    assert made.norms == pytest.approx([5.0, 5.0])


@pytest.fixture
def heard(signals, tiny_dataset):
    return lookups(signals, tiny_dataset, ["top-k", "item-vectors"])


def flat(student, loss):
    """Gradients of items and of everything else, in the order of the parameters."""
    named = dict(student.network.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    parts = {True: [], False: []}
    for (name, value), gradient in zip(named.items(), found, strict=True):
        gradient = torch.zeros_like(value) if gradient is None else gradient
        parts[name.startswith("items")].append(gradient.flatten().double())
    return [torch.cat(parts[which]).numpy() for which in (True, False)]


def test_products_are_those_of_plain_autograd(student, tiny_dataset, heard):
    """Cross-entropy and KL over the oracle's list, written out with dense logits."""
    student.network.eval()
    temperature = 2.0
    found = tension(
        student, tiny_dataset, [NextItem(), KL(temperature=temperature)], heard, MOMENT, LOOK
    )
    source = TrainingBatches(tiny_dataset.train.histories, 10, LOOK.rows, seed=0)
    teacher = torch.from_numpy(oracle(tiny_dataset)[0])
    held_out = TorchBatch.of(answered(tiny_dataset.valid.take(_rows(tiny_dataset)), 10))
    for number in range(LOOK.batches):
        batch = TorchBatch.of(source.batch(0, number))
        logits = student.encode(batch) @ student.item_table().T
        own = torch.nn.functional.cross_entropy(logits, batch.targets)
        gradients = [flat(student, own)]
        logits = student.encode(batch) @ student.item_table().T
        listed = heard["top-k"].read(batch.events.numpy())["items"]
        wanted = (teacher[batch.items].gather(1, listed) / temperature).softmax(1)
        said = (logits.gather(1, listed) / temperature).log_softmax(1)
        divergence = (wanted * (wanted.log() - said)).sum(1).mean() * temperature**2
        gradients.append(flat(student, divergence))
        logits = student.encode(held_out) @ student.item_table().T
        gradients.append(
            flat(
                student,
                torch.nn.functional.cross_entropy(logits, held_out.targets, ignore_index=-1),
            )
        )
        for part, told in enumerate((found.items, found.encoder)):
            expected = [[one[part] @ other[part] for other in gradients] for one in gradients]
            assert told[number] == pytest.approx(np.array(expected), rel=2e-2, abs=1e-6)
    assert found.labels == ("next-item", "kl", HELD_OUT)


def _rows(dataset):
    from recdistill.data.cases import sample

    return sample(dataset.valid, LOOK.cases)


def test_a_term_agrees_with_itself_and_opposes_its_opposite(student, tiny_dataset, heard):
    twice = [NextItem(), NextItem(name="again", weight=7.0)]
    found = tension(student, tiny_dataset, twice, heard, MOMENT, LOOK)
    assert cosines(found.whole)[:, 0, 1] == pytest.approx(np.ones(3))
    assert found.weights == (1.0, 7.0)
    assert found.norms[0] == pytest.approx(found.norms[1])


def test_weights_are_those_of_the_moment(student, tiny_dataset, heard):
    fading = KL(weight={"kind": "linear", "from": 1.0, "to": 0.0})
    found = tension(student, tiny_dataset, [fading], heard, MOMENT, LOOK)
    assert found.weights == (0.5,)
    gone = Moment(step=10, steps=11, epoch=0, feedback={})
    late = tension(student, tiny_dataset, [fading], heard, gone, LOOK)
    assert late.weights == (0.0,)
    assert late.norms == pytest.approx(found.norms)


def test_what_a_term_learns_beside_the_student_is_fitted_first(student, tiny_dataset, heard):
    """To the least squares of the same vectors, solved directly; and to nothing else."""
    source = TrainingBatches(tiny_dataset.train.histories, 10, 64, seed=0)
    batch = TorchBatch.of(source.batch(0, 0))
    loss = _alone(Align(distance="mse"), student, tiny_dataset, heard)
    _settle(loss, [batch], MOMENT, 600)
    items = torch.cat([batch.items, batch.targets]).unique()
    held = student.item_table()[items].detach()
    design = torch.cat([held, torch.ones(len(held), 1)], dim=1).double().numpy()
    wanted = heard["item-vectors"].read(items.numpy())["vectors"].double().numpy()
    left = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert loss(batch, MOMENT).total.item() == pytest.approx((left**2).mean(), rel=1e-2)
    only_items = tension(student, tiny_dataset, [Align()], heard, MOMENT, LOOK)
    assert (only_items.encoder[:, 0] == 0).all()


def test_it_changes_nothing_and_is_the_same_every_time(student, tiny_dataset, heard):
    student.network.train()
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    state = torch.random.get_rng_state()
    one, other = (
        tension(student, tiny_dataset, [NextItem(), Align()], heard, MOMENT, LOOK) for _ in range(2)
    )
    assert np.array_equal(one.items, other.items)
    assert torch.equal(state, torch.random.get_rng_state())
    assert student.network.training
    assert all(value.grad is None for value in student.network.parameters())
    after = student.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_cases_have_their_answer_at_the_end(tiny_dataset):
    cases = tiny_dataset.valid.take(slice(0, 30))
    batch = answered(cases, 10)
    told = sorted(
        (tuple(batch.items[end - length + 1 : end + 1].tolist()), int(batch.targets[end]))
        for end, length in _ends(batch)
    )
    wanted = sorted(
        (tuple(cases.histories[row][-10:].tolist()), int(cases.targets[row][0]))
        for row in range(30)
    )
    assert told == wanted
    assert (batch.targets >= 0).sum() == 30


def _ends(batch):
    for first, rows, length in batch.runs:
        for row in range(rows):
            yield first + (row + 1) * length - 1, length
