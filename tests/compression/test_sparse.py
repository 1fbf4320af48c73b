"""Single weights that go, against sorting all of them."""

from __future__ import annotations

import copy

import pytest
import torch
from prunable import batches, loss_of, model

from recdistill.compression.importance import Evidence
from recdistill.compression.settings import Weights
from recdistill.compression.sparse import held, matrices


def numbers(places):
    return torch.cat([getattr(*place).detach().flatten() for place in places])


def test_the_smallest_of_all_matrices_are_zero_and_the_rest_is_as_before():
    student = model()
    network = student.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    whole = numbers(matrices(network))
    with held(network, Weights(keep=0.3), Evidence([], lambda batch: batch)):
        inside = numbers(matrices_inside(network, before))
    left = numbers(matrices(network))
    edge = whole.abs().sort(descending=True).values[round(0.3 * len(whole)) - 1]
    assert torch.equal(left, torch.where(whole.abs() >= edge, whole, torch.zeros_like(whole)))
    assert torch.equal(inside, left)
    after = network.state_dict()
    assert after.keys() == before.keys()
    for name in (name for name, value in before.items() if value.dim() != 2):
        assert torch.equal(after[name], before[name]), name


def matrices_inside(network, before):
    """The same places, found by name: what holds a mask has a matrix of another name."""
    return [
        (network.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2])
        for name, value in before.items()
        if value.dim() == 2
    ]


@pytest.mark.parametrize("by", ["magnitude", "taylor"])
def test_zeros_stay_zero_while_the_rest_learns(by):
    student = model()
    network, loss = student.network, loss_of(student)
    evidence = Evidence(batches(), loss)
    with held(network, Weights(keep=0.5, by=by), evidence):
        start = loss(batches()[0]).item()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            loss(batches()[0]).backward()
            optimizer.step()
        learned = loss(batches()[0]).item()
    whole = numbers(matrices(network))
    assert (whole == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert learned < start
    assert loss(batches()[0]).item() == pytest.approx(learned, abs=1e-12)


def test_by_taylor_what_the_loss_does_not_notice_goes_first():
    """However large it is: units that are all but switched off behind."""
    student = model()
    with torch.no_grad():
        student.network.blocks[1].narrow.weight.mul_(1e-9)
    silent = copy.deepcopy(student.network.blocks[1].widen.weight)
    assert silent.abs().min() > 0
    with held(
        student.network, Weights(keep=0.8, by="taylor"), Evidence(batches(), loss_of(student))
    ):
        pass
    gone = student.network.blocks[1].widen.weight == 0
    assert gone.all()
