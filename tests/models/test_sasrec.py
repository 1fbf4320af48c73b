"""SASRec: histories do not disturb each other, the future is unseen, everything learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from recdistill.data.batches import pack
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models import prefixes
from recdistill.models.item_encoders import IdItems, OffsetItems, VectorItems, item_encoder
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.step import TorchBatch

VARIANTS: dict[str, dict[str, Any]] = {
    "learned": {},
    "rotary": {"positions": "rotary", "heads": 2},
    "vectors": {"items": {"kind": "vectors", "features": 5, "inner": 7}},
    "linear": {"items": {"kind": "vectors", "features": 5, "inner": None}},
    "offset": {"items": {"kind": "offset", "features": 5}},
}
ROWS = [[3, 1, 4], [], [1], [5, 9, 2, 6, 5, 3, 5, 8, 9, 7], [9, 3], [2, 3, 8], []]


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> SASRec:
    torch.manual_seed(0)
    config = SASRecConfig(width=8, history=6, dropout=0.5, **VARIANTS[request.param])
    model = SASRec(config, Vocabulary(pl.Series(range(10))))
    if isinstance(model.network.items, VectorItems | OffsetItems):
        model.network.items.features.normal_()
    model.network.start.fill_(0.5)
    return model


def test_each_history_alone(model: SASRec) -> None:
    together = model.states(Sequences.from_lists(ROWS))
    for row, history in enumerate(ROWS):
        alone = model.states(Sequences.from_lists([history]))
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


def test_slices_change_nothing(model: SASRec, monkeypatch: pytest.MonkeyPatch) -> None:
    together = model.states(Sequences.from_lists(ROWS))
    monkeypatch.setattr(prefixes, "_POSITIONS_AT_ONCE", 3)
    torch.testing.assert_close(model.states(Sequences.from_lists(ROWS)), together)


def test_only_the_latest_items_are_seen(model: SASRec) -> None:
    long = ROWS[3]
    found = model.states(Sequences.from_lists([long, long[-6:], [0] * 50 + long[-6:]]))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_the_order_matters(model: SASRec) -> None:
    found = model.states(Sequences.from_lists([[1, 2, 3], [2, 1, 3]]))
    assert float((found[0] - found[1]).abs().max()) > 1e-4


def test_nobody_known_gets_the_start(model: SASRec) -> None:
    found = model.states(Sequences.from_lists([[], []]))
    assert torch.equal(found, torch.full((2, 8), 0.5))
    assert model.states(Sequences.from_lists([])).shape == (0, 8)


def test_the_future_is_unseen(model: SASRec) -> None:
    """The state at each position is the state of the prefix that ends there."""
    model.network.eval()
    history = [4, 1, 7, 7, 0]
    batch, _ = pack(Sequences.from_lists([history]))
    every = model.encode(TorchBatch.of(batch))
    prefixes = Sequences.from_lists([history[: end + 1] for end in range(len(history))])
    torch.testing.assert_close(every, model.states(prefixes), rtol=1e-4, atol=1e-5)


def test_everything_that_learns_gets_a_gradient(model: SASRec) -> None:
    model.network.train()
    batch, _ = pack(Sequences.from_lists([[1, 2, 3, 4, 5, 6], [7, 8]]))
    table = model.item_table()
    (model.encode(TorchBatch.of(batch), table) @ table.T).square().sum().backward()
    for name, parameter in model.network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_asking_leaves_the_mode_and_makes_no_graph(model: SASRec) -> None:
    for training in (True, False):
        model.network.train(training)
        states = model.states(Sequences.from_lists(ROWS))
        assert model.network.training is training
        assert not states.requires_grad
    model.network.train()
    again = model.states(Sequences.from_lists(ROWS))
    assert torch.equal(states, again), "dropout must sleep while states are asked for"


def test_the_start_follows_the_states_of_training(model: SASRec) -> None:
    model.network.train()
    batch = TorchBatch.of(pack(Sequences.from_lists([[1, 2, 3]]))[0])
    before = model.network.start.clone()
    mean = model.encode(batch).detach().mean(0)
    torch.testing.assert_close(model.network.start, before.lerp(mean, 0.02))
    model.network.eval()
    kept = model.network.start.clone()
    model.encode(batch)
    assert torch.equal(model.network.start, kept)


def test_score_is_the_product(model: SASRec) -> None:
    states = model.states(Sequences.from_lists(ROWS))
    every = model.score(states)
    torch.testing.assert_close(every, states @ model.item_table().T)
    some = torch.tensor([7, 0])
    torch.testing.assert_close(model.score(states, some), every[:, some])
    assert model.factorised


def test_config_refuses_what_does_not_divide() -> None:
    with pytest.raises(ValidationError, match="must be a multiple of 3"):
        SASRecConfig(width=64, heads=3)
    with pytest.raises(ValidationError, match="must be a multiple of 8"):
        SASRecConfig(width=12, heads=4, positions="rotary")
    with pytest.raises(ValidationError):
        SASRecConfig(width=64, head=2)  # type: ignore[call-arg]


def test_item_encoders() -> None:
    ids = item_encoder(SASRecConfig().items, 4000, 16)
    assert isinstance(ids, IdItems)
    assert float(ids().detach().std()) == pytest.approx(0.02, rel=0.05)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 5))).float()
    adapted = VectorItems(features, width=4, inner=None)
    expected = features @ adapted.adapter[0].weight.T + adapted.adapter[0].bias
    torch.testing.assert_close(adapted(), expected)
    assert {name for name, _ in adapted.named_parameters()} == {
        "adapter.0.weight",
        "adapter.0.bias",
    }


def test_an_encoder_can_be_brought_along() -> None:
    encoder = IdItems(10, 8)
    model = SASRec(SASRecConfig(width=8), Vocabulary(pl.Series(range(10))), encoder)
    assert model.item_table() is encoder.vectors
    assert model.history == 50


def test_prefixes_that_share_a_pass_know_what_they_know_alone(tiny_dataset, monkeypatch):
    model = SASRec.for_dataset(tiny_dataset, width=8, blocks=2, history=7, seed=3)
    contexts = tiny_dataset.contexts().histories
    alone = torch.cat([model.states(contexts.take(slice(row, row + 1))) for row in range(60)])
    torch.testing.assert_close(model.states(contexts)[:60], alone, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("recdistill.models.prefixes._POSITIONS_AT_ONCE", 20)
    shuffled = np.random.default_rng(0).permutation(60)
    few = model.states(contexts.take(shuffled))
    torch.testing.assert_close(few, alone[torch.from_numpy(shuffled)], rtol=1e-4, atol=1e-5)


def test_offset_items_are_what_the_teacher_says_and_what_it_does_not() -> None:
    config = SASRecConfig.model_validate({"items": {"kind": "offset", "features": 5, "share": 0.5}})
    items = item_encoder(config.items, 4000, 4)
    assert isinstance(items, OffsetItems)
    offsets = items.offset.vectors
    assert torch.equal(items(), offsets)  # as long as nobody has put a teacher's vectors there
    assert float(offsets.detach().std()) == pytest.approx(0.02, rel=0.05)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(4000, 5))).float()
    items.features.copy_(features)
    torch.testing.assert_close(items(), offsets + 0.5 * features @ items.project.weight.T)
    items()[7].sum().backward()
    assert offsets.grad is not None
    assert offsets.grad.abs().sum(1).nonzero().flatten().tolist() == [7]
    # What one item teaches the projection, every item has learned.
    torch.testing.assert_close(items.project.weight.grad, 0.5 * features[7].repeat(4, 1))
    with pytest.raises(ValidationError, match="greater than 0"):
        SASRecConfig.model_validate({"items": {"kind": "offset", "features": 5, "share": 0}})
