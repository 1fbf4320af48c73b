"""Which event, which world, and how much an event matters, against loops and small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from confounded import log, model

from recdistill.data.batches import TrainingBatches, pack
from recdistill.data.sequences import Sequences
from recdistill.distill.output import Output
from recdistill.distill.worlds import World, foremost, importance, later, still
from recdistill.training.step import TorchBatch

ROWS = Sequences.from_lists([[1], [4, 2], [7, 3], [5, 0, 6], [9, 8, 1]])
STARTS = [0, 1, 3, 5, 8]


@pytest.fixture
def batch():
    return TorchBatch.of(pack(ROWS)[0])


def test_the_foremost_of_each_history_is_its_greatest_the_oldest_of_equals(batch):
    scores = torch.tensor([0.1, 3.0, 2.0, 1.0, 1.0, 0.0, 5.0, 2.0, 7.0, 8.0, 9.0])
    assert foremost(scores, batch).tolist() == [0, 1, 3, 6, 10]


def test_later_is_from_the_event_on_and_within_its_history(batch):
    found = later(torch.tensor([0, 2, 3, 6, 10]), batch)
    assert found.nonzero().squeeze(1).tolist() == [0, 2, 3, 4, 6, 7, 10]


def test_a_swapped_event_is_another_item_any_other_and_nothing_else_changes(batch):
    events, seen = torch.tensor([0, 1, 4, 6, 9]), set()
    for seed in range(300):
        torch.manual_seed(seed)
        other = World(batch).swapped(events, 12).batch.items
        assert (other != batch.items).nonzero().squeeze(1).tolist() == events.tolist()
        seen |= {int(other[4])}
    assert seen == set(range(12)) - {3}


def test_without_an_event_only_what_comes_later_changes_and_the_place_stays(batch):
    sasrec = model(8, 0, history=3)
    sasrec.network.eval()
    table, events = sasrec.item_table(), torch.tensor([0, 2, 3, 6, 10])
    given, other = World(batch), World(batch).without(events)
    moved = (given.states(sasrec, table) - other.states(sasrec, table)).abs().sum(1) > 1e-6
    assert torch.equal(moved, later(events, batch))
    blank = torch.cat([table, torch.zeros(1, 8)])
    items = batch.items.index_fill(0, events, len(table))
    unseen = sasrec.network(blank, items, batch.places, batch.runs)
    torch.testing.assert_close(other.states(sasrec, table), unseen)


@pytest.mark.parametrize("known", [True, False])
def test_importance_is_the_slope_of_the_answers_with_the_gate(known):
    sasrec = model(8, 3)
    sasrec.network.double().eval()
    with torch.no_grad():
        sasrec.network.items.vectors.normal_(std=0.7)
    batch = TorchBatch.of(TrainingBatches(log(40, 0, 0.5), 2, 6, 0).batch(0, 0))
    if not known:
        batch.targets.fill_(-1)
    output = Output.of(sasrec, batch)
    found = importance(output)

    table, step = output.table.detach(), 1e-5
    answers = batch.targets if known else (output.states @ table.T).argmax(1)
    wanted = []
    for event in range(len(batch)):
        end = event + 1 - int(batch.places[event])
        sums = []
        for gate in (1 + step, 1 - step):
            gates = torch.ones(len(batch), dtype=torch.float64).index_fill(
                0, torch.tensor([event]), gate
            )
            states = sasrec.encode(batch, table, gates)
            listed = torch.log_softmax(states @ table.T, 1)
            sums.append(sum(listed[p, answers[p]].item() for p in range(event, end + 1)))
        wanted.append(abs(sums[0] - sums[1]) / (2 * step) / (end + 1 - event))
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-5, atol=1e-8)
    assert all(part.grad is None for part in sasrec.network.parameters())


def test_still_switches_training_off_and_back_to_what_it_was():
    training, resting = torch.nn.Dropout(), torch.nn.Dropout().eval()
    with still(training, resting):
        assert not training.training
        assert not resting.training
    assert training.training
    assert not resting.training
