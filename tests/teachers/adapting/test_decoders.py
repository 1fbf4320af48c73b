"""Decoders that learn to name, or to lie near, what comes next."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_decoders import save_decoder

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.decoders import DecoderLesson, require_fine_weights, suited
from recdistill.teachers.adapting.judged import Judged
from recdistill.teachers.adapting.naming import (
    Line,
    NearTitleLoss,
    TitleLoss,
    said,
    states,
    windows,
)
from recdistill.teachers.adapting.settings import Contrastive, Full, Lora, NextTitle
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.titles import spoken
from recdistill.training.options import AdamW, RunOptions, TrainingConfig, WarmupCosine
from recdistill.training.step import Moment, TorchBatch

KINDS = ("gpt2", "qwen3")
NOW = Moment(0, 1, 0, {})


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """`load(kind)`: a tiny decoder of its own each time."""
    folder, made = tmp_path_factory.mktemp("decoders"), {}

    def of(kind: str) -> Decoder:
        if kind not in made:
            made[kind] = save_decoder(folder / kind, kind)
        return Decoder.load(made[kind], SourceConfig(model=str(made[kind])))

    return of


@pytest.fixture(scope="module")
def small(make_dataset, tmp_path_factory):
    """Film i + 5 tends to follow film i."""
    return make_dataset(tmp_path_factory.mktemp("small"), users=40, items=15, events=900)


def titles_of(decoder: Decoder, dataset) -> list[list[int]]:
    return spoken(decoder, dataset.items.texts("{title}"), "\n", 24)


def prompts_of(decoder: Decoder, dataset):
    names = dataset.items.texts("{title}")

    def prompts(histories: Sequences) -> list[list[int]]:
        lines = ["\n".join(names[item] for item in histories[row]) for row in range(len(histories))]
        return decoder.tokens([f"{line}\n" for line in lines])

    return prompts


# One pass against plain passes


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_is_as_unlikely_as_a_plain_pass_finds_it(kind, load):
    decoder = load(kind)
    draw = np.random.default_rng(0)
    lines = [
        Line(draw.integers(3, 200, size=a).tolist(), draw.integers(3, 200, size=b).tolist())
        for a, b in ((3, 2), (7, 5), (1, 1), (5, 4))
    ]
    found = said(decoder, lines).detach()
    for line, value in zip(lines, found.tolist(), strict=True):
        tokens = torch.tensor([line.prompt + line.title])
        logits = decoder.logits(tokens, torch.ones_like(tokens))[0].double().log_softmax(1)
        first = len(line.prompt)
        steps = [logits[first + at - 1, token] for at, token in enumerate(line.title)]
        assert value == pytest.approx(-float(sum(steps)), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_each_text_alone(kind, load):
    decoder = load(kind)
    texts = [[5, 9, 40], [7], [30, 31, 32, 33, 34]]
    found = states(decoder, texts).detach()
    for text, state in zip(texts, found, strict=True):
        with torch.no_grad():
            hidden = decoder.model(
                input_ids=torch.tensor([text]), output_hidden_states=True
            ).hidden_states[-1][0, -1]
        torch.testing.assert_close(state, hidden / hidden.norm(), atol=1e-5, rtol=1e-4)


def batch_of(rows: list[list[int]], history: int = 4) -> TorchBatch:
    histories = Sequences.from_lists(rows)
    return TorchBatch.of(TrainingBatches(histories, history, 9, 0).batch(0, 0))


def test_windows_are_what_came_before_each_last_target():
    batch = batch_of([[1, 2, 3], [4, 5, 6, 7, 8, 9], [3, 1]])
    histories, ends = windows(batch)
    found = {
        (*histories[row].tolist(), target)
        for row, target in enumerate(batch.targets[ends].tolist())
    }
    assert found == {(1, 2, 3), (4, 5), (5, 6, 7, 8, 9), (3, 1)}


def test_the_losses_are_those_of_loops(load, small):
    decoder = load("qwen3")
    prompts, titles = prompts_of(decoder, small), titles_of(decoder, small)
    titles[7] = []  # cannot be named
    batch = batch_of([[1, 2, 3], [4, 5, 6, 2], [3, 1, 7], [2, 9], [8, 3]])
    pairs = [([1, 2], 3), ([4, 5, 6], 2), ([2], 9), ([8], 3)]
    read = [prompts(Sequences.from_lists([history]))[0] for history, _ in pairs]
    for at_once in (2, 64):
        step = TitleLoss(decoder, prompts, titles, at_once)(batch, NOW)
        expected = [
            float(said(decoder, [Line(p, titles[item])]))
            for p, (_, item) in zip(read, pairs, strict=True)
        ]
        assert step.positions == 4
        assert float(step.total) == pytest.approx(np.mean(expected), rel=1e-4)

    counts = torch.arange(1.0, 16.0)
    near = NearTitleLoss(decoder, prompts, titles, counts, 0.5, 3)(batch, NOW)
    users = states(decoder, read).detach().double().numpy()
    vectors = {i: states(decoder, [titles[i]])[0].detach().double().numpy() for i in (2, 3, 9)}
    chances, losses = (counts / counts.sum()).double().numpy(), []
    for user, (history, right) in zip(users, pairs, strict=True):
        at = np.exp(user @ vectors[right] / 0.5)
        others = sum(
            np.exp(user @ vectors[item] / 0.5) / (4 * chances[item])
            for _, item in pairs
            if item != right and item not in history
        )
        losses.append(np.log((at + others) / at))
    assert float(near.total) == pytest.approx(np.mean(losses), rel=1e-3)


# Learning


def lesson(decoder: Decoder, dataset, objective, **others) -> DecoderLesson:
    training = TrainingConfig(
        epochs=2,
        batch_size=16,
        optimizer=AdamW(learning_rate=1e-2),
        rate=WarmupCosine(),
        patience=None,
    )
    how = Lora(rank=4, dropout=0.0, objective=objective, training=training)
    prompts, titles = prompts_of(decoder, dataset), titles_of(decoder, dataset)
    return DecoderLesson(
        decoder, "tiny", prompts, titles, 4, dataset, how.model_copy(update=others), "tiny"
    )


@pytest.mark.parametrize("objective", [NextTitle(), Contrastive()])
def test_a_decoder_learns_what_comes_next(objective, load, small, tmp_path):
    decoder = load("qwen3")
    learner = lesson(decoder, small, objective)
    told = learner.learn(tmp_path / "adaptation", RunOptions(folder=tmp_path))
    assert told["kept"]
    assert told["adapted"] > told["plain"] + 0.05
    assert learner.learn(tmp_path / "adaptation", RunOptions()) == told

    again = load("qwen3")
    again.model = adapters.merged(again.model, tmp_path / "adaptation" / "weights")
    judged = Judged(again, learner.prompts, learner.titles, small)
    found = judged.by_titles() if objective.kind == "next-title" else judged.by_vectors(64)
    assert found == pytest.approx(told["adapted"], abs=1e-4)


def test_titles_are_judged_among_candidates_as_one_by_one(load, small):
    decoder = load("gpt2")
    prompts, titles = prompts_of(decoder, small), titles_of(decoder, small)
    judged = Judged(decoder, prompts, titles, small)
    candidates = judged._candidates()
    assert candidates.shape[1] == 15
    assert (candidates[:, 0] == judged._answers).all()
    assert all(len(set(row)) == len(row) for row in candidates.tolist())
    gains = []
    for row in range(8):
        lines = [Line(judged._prompts[row], titles[item]) for item in candidates[row]]
        losses = said(decoder, lines).detach().numpy()
        rank = 1 + int((losses < losses[0]).sum())
        gains.append(1 / np.log2(1 + rank) if rank <= 10 else 0)
    judged._answers, judged._prompts = judged._answers[:8], judged._prompts[:8]
    judged._candidates = lambda: candidates[:8]
    assert judged.by_titles() == pytest.approx(np.mean(gains), abs=1e-6)


def files(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "weights").iterdir()}


def with_room_for(tokens: int, decoder: Decoder) -> Decoder:
    """A device whose memory holds so many."""

    def short(_module, _positional, named):
        if named["input_ids"].numel() > tokens:
            raise torch.OutOfMemoryError

    decoder.model.base_model.register_forward_pre_hook(short, with_kwargs=True)
    return decoder


@pytest.mark.parametrize("objective", [NextTitle(), Contrastive()])
def test_where_memory_is_short_fewer_texts_are_read_at_once_and_the_same_is_learned(
    objective, load, small, tmp_path, monkeypatch
):
    once = TrainingConfig(
        epochs=1, batch_size=16, optimizer=AdamW(learning_rate=1e-2), patience=None
    )
    whole = lesson(load("qwen3"), small, objective, training=once)
    expected = whole.learn(tmp_path / "whole", RunOptions())
    poor = lesson(with_room_for(400, load("qwen3")), small, objective, training=once)
    with pytest.raises(torch.OutOfMemoryError):
        poor.learn(tmp_path / "blind", RunOptions())
    monkeypatch.setattr("recdistill.teachers.adapting.decoders.runs_out", lambda device: True)
    poor = lesson(with_room_for(400, load("qwen3")), small, objective, training=once)
    found = poor.learn(tmp_path / "poor", RunOptions())
    assert found["plain"] == pytest.approx(expected["plain"], abs=1e-6)
    assert found["adapted"] == pytest.approx(expected["adapted"], abs=0.02)


@pytest.mark.parametrize("objective", [NextTitle(), Contrastive()])
def test_an_interrupted_adaptation_goes_on_to_the_same_weights(
    objective, load, small, tmp_path, monkeypatch
):
    """Dropout included: what is drawn after going on is what would have been drawn."""
    loss = TitleLoss if isinstance(objective, NextTitle) else NearTitleLoss
    call, calls = loss.__call__, []

    def learner() -> DecoderLesson:
        return lesson(load("qwen3"), small, objective, dropout=0.1)

    learner().learn(tmp_path / "whole", RunOptions(folder=tmp_path / "whole-run"))

    def dying(self, batch, moment):
        calls.append(moment.step)
        if len(calls) in (3, 21):
            raise KeyboardInterrupt
        return call(self, batch, moment)

    monkeypatch.setattr(loss, "__call__", dying)
    cut = RunOptions(folder=tmp_path / "cut-run", checkpoint_seconds=0.0)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            learner().learn(tmp_path / "cut", cut)
    learner().learn(tmp_path / "cut", cut)
    assert len(calls) == max(calls) + 1 + 2
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


# What is refused


def test_the_objective_suits_how_the_model_speaks():
    assert suited(Lora(), says_titles=True).objective == NextTitle()
    assert suited(Lora(), says_titles=False).objective == Contrastive()
    sharp = Contrastive(temperature=0.2)
    assert suited(Lora(objective=sharp), says_titles=False).objective == sharp
    with pytest.raises(ConfigError, match="learns by 'next-title'"):
        suited(Lora(objective=sharp), says_titles=True)
    with pytest.raises(ConfigError, match="learns by 'contrastive'"):
        suited(Lora(objective=NextTitle()), says_titles=False)


def test_coarse_weights_are_trained_through_adapters_only():
    coarse = Decoder(SimpleNamespace(), None, torch.bfloat16)
    require_fine_weights(coarse, Lora())
    require_fine_weights(Decoder(SimpleNamespace(), None, torch.float32), Full())
    with pytest.raises(ConfigError, match="in bfloat16 its steps would be rounded away"):
        require_fine_weights(coarse, Full())
    few = Decoder(SimpleNamespace(is_quantized=True), None, torch.float32)
    with pytest.raises(ConfigError, match="in a few bits"):
        require_fine_weights(few, Full())
