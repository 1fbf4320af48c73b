"""The small parts of the loop: schedules, sums, logs, states, devices."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import DivergenceError
from recdistill.training import hardware
from recdistill.training.hardware import autocast_type, choose_device, surroundings
from recdistill.training.identity import identity
from recdistill.training.keeper import Keeper
from recdistill.training.ledger import Ledger, Means
from recdistill.training.log import Epoch, TrainingLog
from recdistill.training.optimisers import make_optimizer, rate_factor
from recdistill.training.options import AdamW, RunOptions, TrainingConfig, WarmupCosine
from recdistill.training.state import TrainingState
from recdistill.training.step import Moment, TorchBatch

# The learning rate.


@given(st.integers(0, 50), st.integers(1, 200), st.floats(0, 1))
def test_a_constant_rate_rises_and_stays(warmup, updates, floor):
    config = WarmupCosine(kind="constant", warmup_steps=warmup, floor=floor)
    factors = [rate_factor(config, update, updates) for update in range(updates)]
    assert all(factor == 1 for factor in factors[warmup:])
    assert np.allclose(factors[:warmup], np.arange(1, warmup + 1)[:updates] / max(1, warmup))


@given(st.integers(0, 20), st.integers(30, 200), st.floats(0, 1))
def test_a_cosine_follows_torch(warmup, updates, floor):
    config = WarmupCosine(kind="cosine", warmup_steps=warmup, floor=floor)
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, updates - warmup, eta_min=floor
    )
    for update in range(warmup, updates):
        assert math.isclose(
            rate_factor(config, update, updates), optimizer.param_groups[0]["lr"], abs_tol=1e-9
        )
        optimizer.step()
        reference.step()


@given(st.integers(0, 50), st.integers(0, 300), st.integers(1, 200), st.floats(0, 1))
def test_a_rate_is_never_above_the_peak_nor_negative(warmup, update, updates, floor):
    config = WarmupCosine(kind="cosine", warmup_steps=warmup, floor=floor)
    assert 0 <= rate_factor(config, update, updates) <= 1


# The optimiser.


def test_weight_decay_spares_tables_biases_and_norms():
    module = nn.ModuleDict(
        {"table": nn.Embedding(3, 2), "norm": nn.LayerNorm(2), "linear": nn.Linear(2, 2)}
    )
    module["frozen"] = nn.Linear(2, 2).requires_grad_(False)
    decayed, spared = make_optimizer(AdamW(weight_decay=0.1), module).param_groups
    assert [id(part) for part in decayed["params"]] == [id(module["linear"].weight)]
    assert decayed["weight_decay"] == 0.1
    assert spared["weight_decay"] == 0
    assert len(spared["params"]) == 4


def test_one_kernel_where_that_exists():
    assert make_optimizer(AdamW(), nn.Linear(2, 2)).param_groups[0]["fused"]
    double = make_optimizer(AdamW(), nn.Linear(2, 2).double())
    assert double.param_groups[0]["fused"]


# Sums of losses.


values = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(values, st.integers(1, 1000)), min_size=1, max_size=30), st.data())
def test_means_are_weighted_and_do_not_depend_on_when_they_are_read(batches, data):
    at_once, in_parts = Ledger(), Ledger()
    for step, (value, positions) in enumerate(batches):
        for ledger in (at_once, in_parts):
            ledger.add(step, {"loss": torch.tensor(value)}, positions)
        if data.draw(st.booleans()):
            in_parts.settle()
    at_once.settle()
    in_parts.settle()
    assert at_once == in_parts
    singles = [np.float32(value) for value, _ in batches]
    weights = [positions for _, positions in batches]
    expected = np.average(np.array(singles, dtype=np.float64), weights=weights)
    assert math.isclose(at_once.epoch.values()["loss"], expected, rel_tol=1e-9, abs_tol=1e-6)


def test_a_term_that_is_not_always_there_has_the_mean_of_its_own_batches():
    ledger = Ledger()
    ledger.add(0, {"loss": torch.tensor(1.0), "kl": torch.tensor(3.0)}, 10)
    ledger.add(1, {"loss": torch.tensor(2.0)}, 30)
    ledger.settle()
    assert ledger.window.values() == {"loss": 1.75, "kl": 3.0}


def test_the_first_bad_step_is_named_and_the_term_before_the_total():
    ledger = Ledger()
    fine, bad = torch.tensor(1.0), torch.tensor(float("inf"))
    ledger.add(4, {"loss": fine, "kl": fine}, 1)
    ledger.add(5, {"loss": bad, "next-item": fine, "kl": bad}, 1)
    ledger.add(6, {"loss": bad}, 1)
    with pytest.raises(DivergenceError, match="'kl' was inf at step 5"):
        ledger.settle()


def test_settling_nothing_is_nothing():
    ledger = Ledger()
    ledger.settle()
    assert ledger == Ledger()


# States and logs.


def a_state():
    epochs = [Epoch({"loss": 0.1}, 0.3, 50, 1.5), Epoch({"loss": 1 / 3}, None, 60, 0.5)]
    log = TrainingLog("ndcg@10", epochs, best_epoch=0, steps=12, validation_seconds=0.25)
    ledger = Ledger(Means({"loss": 0.1}, {"loss": 3}), Means({"loss": 0.7}, {"loss": 9}))
    return TrainingState(log, ledger, 14, 20, 0.125, 1, False)


def test_a_state_survives_json():
    state = a_state()
    assert TrainingState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


def test_a_log_sums_up():
    told = a_state().log.to_dict()
    assert told["seconds"] == 2.0
    assert told["positions"] == 110
    assert told["positions_per_second"] == 55
    assert told["best"] == 0.3
    assert TrainingLog("x").positions_per_second == 0


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_the_best_epoch_is_the_first_of_the_best(validations):
    state = TrainingState(TrainingLog("x"))
    improved = [state.end_epoch(value) for value in validations]
    known = [value for value in validations if value is not None]
    if known:
        assert state.log.best == max(known)
        assert state.log.best_epoch == validations.index(max(known))
        assert state.stale == len(known) - 1 - known.index(max(known))
        assert improved[state.log.best_epoch]
        assert not any(improved[state.log.best_epoch + 1 :])
    else:
        assert state.log.best_epoch is None


# When checkpoints are due.


class Slow:
    """A store whose checkpoints take two seconds of a pretended clock."""

    def __init__(self, clock):
        self.clock = clock

    def save(self, *args):
        self.clock[0] += 2.0


@pytest.mark.parametrize(
    ("seconds", "waited", "epoch_ended", "due"),
    [
        (30.0, 29.0, False, False),
        (30.0, 41.0, False, True),
        (30.0, 39.0, True, False),  # a checkpoint of two seconds is worth it every forty
        (30.0, 41.0, True, True),
        (100.0, 41.0, False, False),
        (100.0, 41.0, True, True),
        (0.0, 0.0, False, True),
    ],
)
def test_checkpoints_take_a_twentieth_of_the_time(monkeypatch, seconds, waited, epoch_ended, due):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    keeper = object.__new__(Keeper)
    keeper._store, keeper._seconds, keeper._cost, keeper._last = Slow(clock), seconds, 2.0, 0.0
    clock[0] = waited
    assert keeper.is_due(epoch_ended=epoch_ended) is due


def test_without_a_store_none_is_due():
    assert not Keeper(None, 0.0).is_due(epoch_ended=True)


# What decides a result.


def make_identity(**changes):
    options = {"history": 4, "batch_size": 2, "seed": 0, "rows": [[1, 2, 3], [2, 3]]} | changes
    rows = Sequences.from_lists(options.pop("rows"))
    return identity(
        TrainingConfig(), RunOptions(), nn.Linear(2, 2), TrainingBatches(rows, **options), {}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"history": 5},
        {"batch_size": 1},
        {"seed": 1},
        {"windows": "last"},
        {"rows": [[1, 2, 4], [2, 3]]},
    ],
)
def test_whatever_decides_the_batches_is_part_of_the_identity(change):
    assert make_identity() == make_identity()
    assert make_identity(**change) != make_identity()
    json.dumps(make_identity())


def test_the_machine_is_no_part_of_the_identity(tmp_path):
    batches = TrainingBatches(Sequences.from_lists([[1, 2]]), 4, 2, 0)
    runs = (RunOptions(), RunOptions(device="cpu", threads=3, folder=tmp_path, name="x"))
    first, second = (identity(TrainingConfig(), run, nn.Linear(2, 2), batches, {}) for run in runs)
    assert first == second


# Batches and moments.


def test_a_batch_of_tensors_says_what_the_arrays_said():
    batch = TrainingBatches(Sequences.from_lists([[1, 2, 3], [4, 5]]), 4, 2, 0).batch(0, 0)
    carried = TorchBatch.of(batch, "cpu")
    for name in ("items", "places", "targets", "events", "ends"):
        assert torch.equal(getattr(carried, name), torch.from_numpy(getattr(batch, name)))
    assert len(carried) == 3
    assert carried.runs == batch.runs


def test_a_moment_of_a_single_step():
    assert Moment(0, 1, 0, {}).progress == 0
    assert Moment(9, 10, 0, {}).progress == 1


# The machine.


@pytest.mark.parametrize(
    ("precision", "native", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, None),
        ("float32", True, None),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_bfloat16_only_where_it_is_native_or_wanted(monkeypatch, precision, native, expected):
    monkeypatch.setattr(hardware, "_multiplies_bfloat16", lambda device: native)
    assert autocast_type(TrainingConfig(precision=precision), torch.device("cpu")) is expected


@pytest.mark.parametrize("native", [True, False])
def test_the_processor_is_asked_for_matrix_units(monkeypatch, native):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": native})
    config = TrainingConfig()
    assert (autocast_type(config, torch.device("cpu")) is torch.bfloat16) is native


def test_a_gpu_is_taken_where_there_is_one(monkeypatch):
    for available, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=available: there)
        assert choose_device(None).type == kind
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert autocast_type(TrainingConfig(), torch.device("cuda")) is torch.bfloat16


def test_the_surroundings_are_left_as_they_were_after_an_error():
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), surroundings(RunOptions(device="cpu", threads=1)):
        torch.rand(10 // 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.utils.deterministic.fill_uninitialized_memory
