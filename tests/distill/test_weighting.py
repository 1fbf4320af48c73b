"""How terms share the say, against dense gradients in double precision."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from recdistill.data.batches import TrainingBatches
from recdistill.distill import distill
from recdistill.distill.filters import Random, TeacherRight
from recdistill.distill.lookup import lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, MSE, Align, NextItem
from recdistill.distill.weighting import Fixed, GradientNorm, Uncertainty
from recdistill.training.options import TrainingConfig
from recdistill.training.step import Moment, TorchBatch

START = Moment(step=0, steps=11, epoch=0, feedback={})
TERMS = (NextItem(weight=0.5), KL(temperature=2.0), MSE(weight=0.1))


@pytest.fixture
def make(student, tiny_dataset, signals):
    counts = torch.from_numpy(np.bincount(tiny_dataset.train.items, minlength=40)).float()

    def make(weighting, *terms):
        kinds = {term.source for term in terms if term.source}
        torch.manual_seed(0)
        found = lookups(signals, tiny_dataset, kinds)
        return DistillationLoss(student, terms, found, counts, weighting)

    return make


def test_fixed_weights_are_what_there_was_before(make, batch):
    plain, fixed = (make(weighting, *TERMS)(batch, START) for weighting in (None, Fixed()))
    assert torch.equal(plain.total, fixed.total)
    assert not any("factor" in name for name in fixed.terms)


def test_uncertainty_is_kendalls_sum(make, batch):
    """Σ w (e^−s L + s/2), and its gradient with respect to s, −w e^−s L + w/2."""
    loss = make(Uncertainty(), *TERMS, Align(sample=10_000))
    plain = loss(batch, START).terms
    spreads = torch.tensor([0.3, -0.7, 1.1, 0.2])
    with torch.no_grad():
        loss._balance.log_variance.copy_(spreads)
    found = loss(batch, START)
    weights = np.array([0.5, 1.0, 0.1, 1.0])
    losses = np.array([plain[name].item() for name in ("next-item", "kl", "mse", "align")])
    shrunk = np.exp(-spreads.double().numpy()) * losses
    wanted = (weights * (shrunk + spreads.double().numpy() / 2)).sum()
    assert found.total.item() == pytest.approx(wanted, rel=1e-5)
    found.total.backward()
    gradient = loss._balance.log_variance.grad.double().numpy()
    np.testing.assert_allclose(gradient, weights * (0.5 - shrunk), rtol=1e-4)
    assert found.terms["kl"].item() == pytest.approx(losses[1], rel=1e-5)
    assert found.terms["kl/factor"].item() == pytest.approx(np.exp(0.7), rel=1e-5)


def test_the_best_uncertainty_is_the_size_of_the_loss(make, batch):
    """The sum is least where e^s = 2 L: a loss of constant size is scaled to a half."""
    loss = make(Uncertainty(), *TERMS)
    sizes = [loss(batch, START).terms[term.label] for term in TERMS]
    with torch.no_grad():
        loss._balance.log_variance.copy_(torch.stack(sizes).mul(2).log())
    loss(batch, START).total.backward()
    np.testing.assert_allclose(loss._balance.log_variance.grad, 0, atol=1e-6)


def norms_by_hand(make, student, batch, term):
    """The gradient norm of one term alone, by ordinary autograd through states and table."""
    loss = make(None, term)
    torch.manual_seed(0)
    table = student.item_table()
    states = student.encode(batch, table).detach().requires_grad_()
    leaf = table.detach().requires_grad_()
    encode, items = student.encode, student.item_table
    try:
        student.encode, student.item_table = lambda *_: states, lambda: leaf
        loss(batch, START).total.backward()
    finally:
        student.encode, student.item_table = encode, items
    return torch.cat([states.grad.flatten(), leaf.grad.flatten()]).double().norm().item()


def test_gradient_norms_are_those_of_each_term_alone(make, student, batch):
    terms = (NextItem(), KL(temperature=2.0, weight=3.0), MSE(), Align(sample=10_000))
    loss = make(GradientNorm(), *terms)
    loss(batch, START)
    alone = [
        norms_by_hand(make, student, batch, term.model_copy(update={"weight": 1.0}))
        for term in terms
    ]
    assert len(batch) <= 256, "every position is looked at"
    np.testing.assert_allclose(loss._balance.norms[:3], alone[:3], rtol=1e-4)
    found = loss(batch, START).terms
    for term, norm in zip(terms[1:3], alone[1:3], strict=True):
        assert found[f"{term.label}/factor"].item() == pytest.approx(alone[0] / norm, rel=1e-4)


def test_a_looked_at_sample_is_close_to_the_whole(make, student, tiny_dataset):
    """With more positions than are looked at, norms are within sampling error of the whole's."""
    large = TorchBatch.of(TrainingBatches(tiny_dataset.train.histories, 10, 500, 0).batch(0, 0))
    assert len(large) > 600
    loss = make(GradientNorm(), *TERMS)
    loss(large, START)
    whole = [
        norms_by_hand(make, student, large, t.model_copy(update={"weight": 1.0})) for t in TERMS
    ]
    ratios = loss._balance.norms.numpy() / np.array(whole)
    np.testing.assert_allclose(ratios / ratios[0], 1, rtol=0.3)


def test_norms_are_remembered_and_measured_now_and_then(make, batch):
    loss = make(GradientNorm(every=5, memory=0.5), *TERMS)
    loss(batch, START)
    first = loss._balance.norms.clone()
    with torch.no_grad():
        loss._student.network.items.vectors.mul_(2)
    loss(batch, Moment(step=1, steps=11, epoch=0, feedback={}))
    assert torch.equal(loss._balance.norms, first)
    loss(batch, Moment(step=5, steps=11, epoch=0, feedback={}))
    fresh = make(GradientNorm(), *TERMS)
    fresh(batch, START)
    torch.testing.assert_close(loss._balance.norms, (first + fresh._balance.norms) / 2)


def test_a_term_that_pulls_at_nothing_is_left_alone(make, batch):
    """Filtered away entirely, a term has no gradient, and must not get an infinite factor."""
    silent = KL(filters=(Random(keep=0.0),))
    loss = make(GradientNorm(), NextItem(), silent, MSE(filters=(TeacherRight(within=3),)))
    found = loss(batch, START)
    assert "kl/factor" not in found.terms
    found.total.backward()
    assert torch.isfinite(found.total)


def test_looking_leaves_no_gradient_behind(make, student, batch):
    make(GradientNorm(), *TERMS)(batch, START)
    assert all(parameter.grad is None for parameter in student.network.parameters())


def test_evaluation_does_not_look(make, batch):
    loss = make(GradientNorm(), *TERMS).eval()
    loss(batch, START)
    assert (loss._balance.norms == 0).all()


@pytest.mark.parametrize("kind", ["fixed", "uncertainty", "gradient-norm"])
def test_every_weighting_trains_from_plain_data(tiny_dataset, signals, student, kind):
    before = deepcopy(student.network.state_dict())
    recipe = {
        "objectives": [{"kind": "next-item"}, {"kind": "kl"}, {"kind": "align"}],
        "weighting": {"kind": kind},
    }
    training = TrainingConfig(epochs=2, batch_size=16, patience=None)
    log = distill(student, tiny_dataset, signals, recipe, training)
    assert log.epochs[1].losses["next-item"] < log.epochs[0].losses["next-item"]
    assert any(not torch.equal(v, before[k]) for k, v in student.network.state_dict().items())
