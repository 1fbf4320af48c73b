"""The loop, seen from outside: what it learns, what it keeps, and that interruptions leave no trace."""

from __future__ import annotations

import json
import math
import signal
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toys import (
    ITEMS,
    HalvedBatches,
    Toy,
    ToyBatches,
    Witness,
    accuracy,
    cross_entropy,
    packed,
    same,
    tensors,
)

from recdistill.errors import CheckpointError, ConfigError, DataError, DivergenceError
from recdistill.training.options import AdamW, RunOptions, TrainingConfig, WarmupCosine
from recdistill.training.step import StepLoss
from recdistill.training.trainer import Trainer

CONFIG = TrainingConfig(
    epochs=3,
    optimizer=AdamW(learning_rate=0.02, weight_decay=0.1),
    rate=WarmupCosine(kind="cosine", warmup_steps=3),
    precision="float32",
    patience=None,
)


def run(folder=None, **further):
    options = {"seed": 1, "device": "cpu", "trackers": (), "checkpoint_seconds": 0.0} | further
    return RunOptions(folder=folder, **options)


def fit(
    module=None, config=CONFIG, options=None, batches=None, loss=None, validate=None, **further
):
    module = module or Toy()
    loss = loss or cross_entropy(module)
    log = Trainer(config, options or run()).fit(
        module, batches or ToyBatches(), loss, validate, **further
    )
    return module, log


class StopError(Exception):
    pass


def stopping(loss, step):
    """The loss function, but it fails at `step`: a crash."""

    def failing(batch, moment):
        if moment.step == step:
            raise StopError
        return loss(batch, moment)

    return failing


# Against a loop written by hand.


def by_hand(module, batches, config, seed):
    """The same training, as anybody would write it down with plain torch."""
    decayed = [module.out.weight]
    spared = [part for part in module.parameters() if part is not module.out.weight]
    rate, weight_decay = config.optimizer.learning_rate, config.optimizer.weight_decay
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=rate,
        betas=config.optimizer.betas,
        fused=False,
        foreach=False,
    )
    module.train()
    losses, total = [], batches.steps * config.epochs
    for step in range(total):
        torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]))
        batch = batches.batch(*divmod(step, batches.steps))
        logits = module(torch.from_numpy(batch.items))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        warm = config.rate.warmup_steps
        share = (step + 1) / warm if step < warm else None
        if share is None:
            share = 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))
        for group in optimizer.param_groups:
            group["lr"] = rate * share
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_it_is_the_loop_that_anybody_would_write():
    config = CONFIG.model_copy(update={"clip_norm": 0.3})
    module, log = fit(config=config)
    reference = Toy()
    losses = by_hand(reference, ToyBatches(), config, seed=1)
    for name, tensor in reference.state_dict().items():
        assert torch.allclose(module.state_dict()[name], tensor, atol=1e-6), name
    means = np.array(losses).reshape(3, 6).mean(1)
    assert np.allclose([epoch.losses["loss"] for epoch in log.epochs], means)


def test_it_learns():
    module, log = fit(config=CONFIG.model_copy(update={"epochs": 40}), validate=None)
    assert log.epochs[-1].losses["loss"] < 0.5 < 2 < log.epochs[0].losses["loss"]
    items = torch.arange(ITEMS)
    assert (module.eval()(items).argmax(1) == (items + 1) % ITEMS).all()


def test_a_seed_is_a_result():
    first, second, third = (fit(options=run(seed=seed))[0] for seed in (1, 1, 2))
    assert same(tensors(first), tensors(second))
    assert not same(tensors(first), tensors(third))


def test_the_random_numbers_of_the_caller_do_not_matter_and_are_not_used_up():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, _ = fit()
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(6)
    assert same(tensors(first), tensors(fit()[0]))


def test_threads_and_strictness_are_as_before_afterwards():
    threads = torch.get_num_threads()
    seen = []
    module = Toy()
    plain = cross_entropy(module)

    def loss(batch, moment):
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        return plain(batch, moment)

    fit(module, options=run(threads=1), loss=loss)
    assert set(seen) == {(1, True)}
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_accumulation_is_a_larger_batch():
    whole, halves = (Toy(dropout=0) for _ in range(2))
    fit(whole)
    accumulating = CONFIG.model_copy(update={"accumulate": 2})
    fit(halves, config=accumulating, batches=HalvedBatches(ToyBatches()))
    for name, tensor in whole.state_dict().items():
        if name != "seen":
            assert torch.allclose(halves.state_dict()[name], tensor, atol=1e-5), name


def test_accumulation_weighs_batches_by_their_positions():
    """Halves of 2 and 10 histories make the same gradient as one batch of 12."""

    class Uneven:
        steps = 2

        def __init__(self, whole):
            self.whole = whole

        def batch(self, epoch, step):
            rows = self.whole.batch(epoch, 0).items.reshape(-1, 3)
            return packed(rows[:2] if step == 0 else rows[2:])

    whole, parts = (Toy(dropout=0) for _ in range(2))
    batches = ToyBatches(steps=1, rows=12)
    fit(whole, batches=batches)
    fit(parts, config=CONFIG.model_copy(update={"accumulate": 2}), batches=Uneven(batches))
    assert torch.allclose(whole.out.weight, parts.out.weight, atol=1e-5)


def test_an_update_never_spans_two_epochs():
    module, witness = Toy(), Witness()
    config = CONFIG.model_copy(update={"accumulate": 4})
    fit(module, config=config, options=run(trackers=(witness,)))
    assert sorted({step for step, _ in witness.said}) == [4, 6, 10, 12, 16, 18]


def test_moments_tell_the_time():
    module, moments = Toy(), []
    plain = cross_entropy(module)

    def loss(batch, moment):
        moments.append(moment)
        return plain(batch, moment)

    values = iter([0.5, 0.25, 0.75])
    fit(module, loss=loss, validate=lambda: next(values))
    assert [moment.step for moment in moments] == list(range(18))
    assert {moment.steps for moment in moments} == {18}
    assert [moment.epoch for moment in moments] == [0] * 6 + [1] * 6 + [2] * 6
    assert moments[0].progress == 0
    assert moments[-1].progress == 1
    assert moments[0].feedback == {}
    assert moments[6].feedback == {"ndcg@10": 0.5}
    assert moments[17].feedback == {"ndcg@10": 0.25}


def test_a_loss_with_parameters_is_trained_and_one_that_holds_the_model_trains_it_once():
    class Scaled(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module, self.scale = module, nn.Parameter(torch.ones(()))

        def forward(self, batch, moment):
            logits = self.module(batch.items) * self.scale
            loss = nn.functional.cross_entropy(logits, batch.targets)
            return StepLoss(loss, {}, len(batch))

    module = Toy()
    loss = Scaled(module)
    fit(module, loss=loss)
    assert loss.scale.item() != 1.0
    alone, _ = fit(Toy(), loss=None)
    assert not same(tensors(alone), tensors(module))


def test_frozen_parameters_stay():
    module = Toy()
    module.embed.weight.requires_grad_(False)
    before = module.embed.weight.clone()
    fit(module)
    assert torch.equal(module.embed.weight, before)


# Validation and early stopping.


def stage(values, **settings):
    """Train with validations that say `values`; give the weights after each epoch too."""
    module, said, weights = Toy(), iter(values), []

    def measure():
        weights.append(tensors(module))
        return next(said)

    config = CONFIG.model_copy(update={"epochs": 8, "patience": 2} | settings)
    _, log = fit(module, config=config, validate=measure)
    return module, log, weights


def test_the_best_state_is_restored():
    module, log, weights = stage([0.1, 0.3, 0.2, 0.25, 0.9])
    assert log.best_epoch == 1
    assert log.best == 0.3
    assert len(log.epochs) == 4
    assert log.stopped_early
    assert same(tensors(module), weights[1])
    assert not module.training


def test_of_equals_the_first_is_best():
    module, log, weights = stage([0.5, 0.5, 0.5])
    assert log.best_epoch == 0
    assert same(tensors(module), weights[0])


def test_patience_starts_again_with_every_improvement():
    _, log, _ = stage([0.1, 0.0, 0.2, 0.1, 0.3, 0.2, 0.2, 0.9])
    assert len(log.epochs) == 7
    assert log.best_epoch == 4


def test_without_patience_nothing_stops():
    _, log, _ = stage([0.9] + [0.0] * 7, patience=None)
    assert len(log.epochs) == 8
    assert not log.stopped_early


def test_the_last_planned_epoch_is_no_early_stop():
    _, log, _ = stage([0.9, 0.1, 0.1], epochs=3)
    assert len(log.epochs) == 3
    assert not log.stopped_early


def test_validation_comes_every_few_epochs_and_at_the_end():
    _, log, _ = stage([0.1, 0.2, 0.3], validate_every=3)
    assert [epoch.validation for epoch in log.epochs] == [
        None,
        None,
        0.1,
        None,
        None,
        0.2,
        None,
        0.3,
    ]


def test_without_validation_the_last_state_stays():
    _, log = fit()
    assert log.best_epoch is None
    assert log.best is None
    assert all(epoch.validation is None for epoch in log.epochs)
    assert log.steps == 18
    assert log.positions == 18 * 12
    assert log.positions_per_second > 0


def test_random_numbers_in_a_validation_change_nothing():
    plain, _ = fit(validate=lambda: 1.0)
    noisy, _ = fit(validate=lambda: float(torch.rand(100).sum()) * 0 + 1.0)
    assert same(tensors(plain), tensors(noisy))


# Divergence.


def test_a_loss_that_is_not_a_number_names_step_and_term(tmp_path):
    module = Toy()
    plain = cross_entropy(module)

    def loss(batch, moment):
        step = plain(batch, moment)
        bad = torch.tensor(float("nan") if moment.step == 9 else 0.0)
        return StepLoss(step.total + bad, {**step.terms, "kl": bad}, step.positions)

    with pytest.raises(DivergenceError, match=r"'kl' was nan at step 9") as caught:
        fit(module, loss=loss, options=run(tmp_path), validate=accuracy(module))
    assert "learning_rate" in caught.value.hint
    assert all(torch.isfinite(tensor).all() for tensor in tensors(module).values())
    newest = max((tmp_path / "checkpoints").iterdir())
    assert newest.name == "step-000000009"


def test_a_total_that_is_infinite_alone_is_named_loss():
    module = Toy()

    def loss(batch, moment):
        return StepLoss(module(batch.items).sum() * float("inf"), {"kl": torch.zeros(())}, 1)

    with pytest.raises(DivergenceError, match=r"'loss' was (inf|-inf|nan) at step 0"):
        fit(module, loss=loss)


def test_a_gradient_that_is_not_a_number_is_noticed():
    module = Toy(dropout=0)

    def loss(batch, moment):
        value = (module(batch.items) * 0).sum().sqrt()  # 0, with an infinite slope
        return StepLoss(value, {"root": value.detach()}, len(batch))

    with pytest.raises(DivergenceError, match="'gradient_norm' was nan at step 0"):
        fit(module, loss=loss)


def test_a_validation_that_is_not_a_number_is_noticed():
    with pytest.raises(DivergenceError, match=r"ndcg@10 was nan after epoch 1"):
        fit(validate=lambda: float("nan"))


# Resuming.


def curve(log):
    return [
        (epoch.losses, epoch.validation, epoch.positions) for epoch in log.epochs
    ], log.best_epoch


def lines(folder):
    """What was logged, without what depends on the speed of the machine."""
    told = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in told]


def attempt(folder, crash=None, config=CONFIG, **options):
    """One process' worth of training; a crash at a step that was done before does not happen."""
    module = Toy()
    loss = cross_entropy(module)
    try:
        _, log = fit(
            module,
            config=config,
            options=run(folder, **options),
            loss=loss if crash is None else stopping(loss, crash),
            validate=accuracy(module),
        )
    except StopError:
        return None
    return tensors(module), curve(log)


@settings(max_examples=15)
@given(
    crashes=st.lists(st.integers(0, 17), min_size=1, max_size=4),
    accumulate=st.integers(1, 4),
    seconds=st.sampled_from([0.0, 1e-9, 1e9]),
)
def test_a_crash_anywhere_leaves_no_trace(tmp_path_factory, crashes, accumulate, seconds):
    config = CONFIG.model_copy(update={"accumulate": accumulate})
    smooth, rough = (tmp_path_factory.mktemp(name) for name in ("smooth", "rough"))
    weights, expected = attempt(smooth, config=config)
    for step in sorted(crashes):
        attempt(rough, crash=step, config=config, checkpoint_seconds=seconds)
    resumed, found = attempt(rough, config=config)
    assert same(resumed, weights)
    assert found == expected
    assert lines(rough) == lines(smooth)


def test_a_checkpoint_decides_and_not_what_the_module_was(tmp_path):
    weights, _ = attempt(tmp_path / "smooth")
    attempt(tmp_path / "rough", crash=10)
    other = Toy(seed=99)
    fit(other, options=run(tmp_path / "rough"), validate=accuracy(other))
    assert same(tensors(other), weights)


def test_moments_of_the_optimiser_are_part_of_the_state(tmp_path):
    """The comparison can fail: without the optimiser's memory the weights end elsewhere."""
    weights, _ = attempt(tmp_path / "smooth")
    attempt(tmp_path / "rough", crash=10)
    module = Toy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recdistill.training.learner.Learner.moments", lambda self: {})
        attempt(tmp_path / "forgetful", crash=10)
    fit(module, options=run(tmp_path / "forgetful"), validate=accuracy(module))
    assert not same(tensors(module), weights)


def test_a_finished_training_is_not_done_again(tmp_path):
    weights, expected = attempt(tmp_path)
    module = Toy()

    def never(batch, moment):
        raise AssertionError("it was finished")

    _, log = fit(module, options=run(tmp_path), loss=never, validate=accuracy(module))
    assert same(tensors(module), weights)
    assert curve(log) == expected


def test_the_parameters_of_a_loss_resume_too(tmp_path):
    class Scaled(nn.Module):
        def __init__(self, module, crash):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self._call, self._crash = cross_entropy(module), crash

        def forward(self, batch, moment):
            if moment.step == self._crash:
                raise StopError
            step = self._call(batch, moment)
            return StepLoss(step.total * self.scale.square().mean(), step.terms, step.positions)

    def scale(folder, crash=None):
        module = Toy()
        loss = Scaled(module, crash)
        fit(module, options=run(folder), loss=loss)
        return loss.scale

    with pytest.raises(StopError):
        scale(tmp_path / "rough", crash=11)
    assert torch.equal(scale(tmp_path / "rough"), scale(tmp_path / "smooth"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": CONFIG.model_copy(update={"epochs": 4})}, "training.epochs was 3, is 4"),
        ({"options": {"seed": 2}}, "seed was 1, is 2"),
        ({"batches": ToyBatches(steps=7)}, "data.steps was 6, is 7"),
        ({"further": {"recipe": "b"}}, "further.recipe was a, is b"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change, named):
    fit(options=run(tmp_path), further={"recipe": "a"})
    options = run(tmp_path, **change.pop("options", {}))
    with pytest.raises(CheckpointError) as caught:
        fit(options=options, **{"further": {"recipe": "a"}} | change)
    assert named in caught.value.message


def test_another_architecture_is_refused(tmp_path):
    fit(options=run(tmp_path))
    module = Toy()
    module.further = nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match="tensors was"):
        fit(module, options=run(tmp_path))


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit()
    assert list(tmp_path.iterdir()) == []


# Interruptions by people and machines.


def interrupting(module, step, number):
    plain = cross_entropy(module)

    def loss(batch, moment):
        if moment.step == step:
            signal.raise_signal(number)
        return plain(batch, moment)

    return loss


def test_ctrl_c_keeps_everything_and_then_stops(tmp_path):
    smooth, _ = fit()
    module, usual = Toy(), signal.getsignal(signal.SIGINT)
    options = run(tmp_path, checkpoint_seconds=1e9)
    with pytest.raises(KeyboardInterrupt):
        fit(module, options=options, loss=interrupting(module, 10, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is usual
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-000000011"
    resumed, _ = fit(options=options)
    assert same(tensors(resumed), tensors(smooth))


def test_a_polite_kill_is_obeyed_after_a_checkpoint(tmp_path):
    heard = []
    usual = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        module = Toy()
        # The handler does nothing about it, but what was stopped is not done.
        with pytest.raises(KeyboardInterrupt):
            fit(module, options=run(tmp_path), loss=interrupting(module, 4, signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, usual)
    assert heard == [signal.SIGTERM]
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-000000005"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_the_process_ignores_does_not_stop_it(tmp_path, number):
    """Jobs in the background and under `nohup` ignore Ctrl-C; half a training must not pass for a whole."""
    smooth, log = fit()
    usual = signal.signal(number, signal.SIG_IGN)
    try:
        module = Toy()
        _, undisturbed = fit(module, options=run(tmp_path), loss=interrupting(module, 4, number))
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, usual)
    assert undisturbed.steps == log.steps
    assert same(tensors(module), tensors(smooth))


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    module = Toy()
    plain = cross_entropy(module)

    def loss(batch, moment):
        if moment.step == 4:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return plain(batch, moment)

    with pytest.raises(KeyboardInterrupt):
        fit(module, options=run(tmp_path, checkpoint_seconds=1e9), loss=loss)
    assert not list((tmp_path / "checkpoints").glob("step-*"))


def test_training_works_outside_the_main_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(fit()))
    thread.start()
    thread.join()
    assert len(done) == 1


# Refusals, and what trackers hear.


def test_no_batches_is_an_error_and_not_an_empty_model():
    with pytest.raises(DataError, match="nothing to learn from"):
        fit(batches=ToyBatches(steps=0))


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="no device 'warp'"):
        fit(options=run(device="warp"))


def test_trackers_hear_lines_of_the_window_and_of_the_epoch():
    witness = Witness()
    module = Toy()
    _, log = fit(module, options=run(trackers=(witness,)), validate=accuracy(module))
    ((config, step),) = witness.starts
    assert step == 0
    assert config["training"]["optimizer"]["learning_rate"] == 0.02
    assert witness.closed == 1
    losses = [said["train/loss"] for _, said in witness.said if "train/loss" in said]
    assert np.allclose(np.mean(losses[:6]), log.epochs[0].losses["loss"])
    epochs = [said for _, said in witness.said if "epoch/loss" in said]
    assert [said["validation/ndcg@10"] for said in epochs] == [e.validation for e in log.epochs]
    rates = [said["train/learning_rate"] for _, said in witness.said if "train/loss" in said]
    assert np.allclose(rates[:4], [0.02 / 3, 0.04 / 3, 0.02, 0.02])
    assert rates[-1] < 0.002


def test_long_epochs_give_few_lines():
    witness = Witness()
    config = CONFIG.model_copy(update={"epochs": 1})
    fit(config=config, batches=ToyBatches(steps=95), options=run(trackers=(witness,)))
    steps = [step for step, said in witness.said if "train/loss" in said]
    assert steps == [*range(5, 96, 5)]


def test_bfloat16_when_asked_for():
    seen = []
    module = Toy()

    def loss(batch, moment):
        logits = module(batch.items)
        seen.append(logits.dtype)
        value = nn.functional.cross_entropy(logits.float(), batch.targets)
        return StepLoss(value, {}, len(batch))

    fit(module, config=CONFIG.model_copy(update={"precision": "bfloat16"}), loss=loss)
    assert set(seen) == {torch.bfloat16}
    assert module.out.weight.dtype == torch.float32
