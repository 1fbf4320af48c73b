"""The parts of an adaptation against plain loops."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.language.blocks import keep_layers
from recdistill.teachers.adapting.contrastive import (
    ContrastiveLoss,
    in_batch_softmax,
    of_own_window,
    window_means,
)
from recdistill.teachers.adapting.library import Library
from recdistill.teachers.adapting.memory import in_parts, largest_that_fits
from recdistill.teachers.adapting.nearest import Nearest
from recdistill.teachers.adapting.others import OfBatch, OfCatalogue, Others
from recdistill.teachers.adapting.reading import Reader
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.step import Moment, StepLoss, TorchBatch


def batch_of(rows: list[list[int]], history: int = 4) -> TorchBatch:
    histories = Sequences.from_lists(rows)
    return TorchBatch.of(TrainingBatches(histories, history, len(rows) * 3, 0).batch(0, 0))


def windows(batch: TorchBatch) -> list[slice]:
    """The positions of each window."""
    return [
        slice(first + row * length, first + (row + 1) * length)
        for first, rows, length in batch.runs
        for row in range(rows)
    ]


many_rows = st.lists(st.lists(st.integers(0, 8), min_size=2, max_size=9), min_size=1, max_size=5)


@given(many_rows)
def test_means_and_own_items_of_windows(rows):
    batch = batch_of(rows)
    vectors = torch.randn(len(batch), 3, generator=torch.Generator().manual_seed(1)).double()
    means = window_means(vectors, batch.runs)
    drawn = batch.targets.unique()
    own = of_own_window(batch, drawn)
    for window in windows(batch):
        held = {*batch.items[window].tolist(), *batch.targets[window].tolist()}
        for position in range(window.start, window.stop):
            expected = vectors[window.start : position + 1].mean(0)
            torch.testing.assert_close(means[position], expected)
            assert own[position].tolist() == [text in held for text in drawn.tolist()]


def held_against(table: torch.Tensor, others: Others, batch: TorchBatch) -> StepLoss:
    return ContrastiveLoss(lambda texts: table[texts], others, 0.5)(batch, Moment(0, 1, 0, {}))


@given(many_rows)
def test_the_loss_is_that_of_a_loop(rows):
    batch = batch_of(rows)
    table = torch.randn(9, 5, generator=torch.Generator().manual_seed(2))
    counts = torch.arange(1.0, 10.0)
    loss = held_against(table, OfBatch(counts), batch)
    unit = (table / table.norm(dim=1, keepdim=True)).double().numpy()
    chances = (counts / counts.sum()).double().numpy()
    losses = []
    for window in windows(batch):
        items, targets = batch.items[window].tolist(), batch.targets[window].tolist()
        for place, right in enumerate(targets):
            state = unit[items[: place + 1]].mean(0)
            at = np.exp(state @ unit[right] / 0.5)
            others = sum(
                np.exp(state @ unit[text] / 0.5) / (len(batch) * chances[text])
                for text in batch.targets.tolist()
                if text not in items + targets
            )
            losses.append(np.log((at + others) / at))
    assert loss.positions == len(losses)
    assert float(loss.total) == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-6)


@given(many_rows, st.sampled_from([4, 9, 100]))
def test_the_next_item_against_the_catalogue_is_that_of_a_loop(rows, number):
    """All nine texts once, or as often as four draws found each."""
    batch = batch_of(rows)
    table = torch.randn(9, 5, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(4)
    found = held_against(table, OfCatalogue(9, number), batch)
    torch.manual_seed(4)
    sample = torch.randint(9, (4,)).tolist()
    times = {text: sample.count(text) * 9 / 4 if number == 4 else 1.0 for text in range(9)}
    unit = (table / table.norm(dim=1, keepdim=True)).double().numpy()
    losses = []
    for window in windows(batch):
        items, targets = batch.items[window].tolist(), batch.targets[window].tolist()
        for place, right in enumerate(targets):
            state = unit[items[: place + 1]].mean(0)
            at = np.exp(state @ unit[right] / 0.5)
            others = sum(
                times[text] * np.exp(state @ unit[text] / 0.5)
                for text in range(9)
                if text not in items + targets
            )
            losses.append(np.log((at + others) / at))
    assert float(found.total) == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-6)


def test_the_sum_over_a_sample_is_that_of_the_catalogue_on_average():
    batch, powers, sums = batch_of([[1, 2, 3], [4, 5]]), torch.rand(20).exp(), []
    torch.manual_seed(0)
    for _ in range(4_000):
        drawn, log_weights = OfCatalogue(20, 5)(batch)
        assert torch.isin(batch.targets, drawn).all()
        sums.append(float((log_weights.exp() * powers[drawn]).sum()))
    assert np.mean(sums) == pytest.approx(float(powers.sum()), rel=0.01)


def test_a_batch_in_which_everything_is_drawn_as_often_as_expected_is_the_whole_softmax():
    logits = torch.randn(4, 6, generator=torch.Generator().manual_seed(3)).double()
    right = torch.tensor([0, 5, 2, 2])
    own = torch.zeros(4, 6, dtype=torch.bool)
    own[torch.arange(4), right] = True  # which counts once
    found = in_batch_softmax(logits, right, torch.zeros(6).double(), own)
    torch.testing.assert_close(found, nn.functional.cross_entropy(logits, right, reduction="none"))


# Reading


def test_texts_in_parts_have_the_vectors_and_gradients_of_all_at_once():
    tokens = [[1] * length for length in (3, 9, 1, 4, 4, 7, 2)]
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 2))
    seen: list[int] = []

    def read(texts):
        seen.append(len(texts))
        lengths = torch.tensor([[float(len(text))] for text in texts])
        assert lengths.max() - lengths.min() <= 5  # like lengths together
        return layer(lengths)

    chosen = torch.tensor([6, 0, 3, 5, 1, 4])
    found = {}
    for at_once in (2, 3):
        layer.zero_grad()
        values = Reader(read, tokens, at_once)(chosen)
        values.square().sum().backward()
        found[at_once] = values.detach(), [part.grad.clone() for part in layer.parameters()]
    direct = layer(torch.tensor([[float(len(tokens[text]))] for text in chosen]))
    layer.zero_grad()
    direct.square().sum().backward()
    for values, gradients in found.values():
        torch.testing.assert_close(values, direct.detach())
        torch.testing.assert_close(gradients, [part.grad for part in layer.parameters()])
    assert len(seen) == 2 * (3 + 2)  # each part once forward, once on the way back


def test_readers_find_out_how_much_fits_and_leave_no_gradients():
    layer = nn.Linear(1, 1)

    def read(texts):
        if sum(map(len, texts)) > 12:
            raise torch.OutOfMemoryError
        return layer(torch.tensor([[float(len(text))] for text in texts]))

    reader = Reader(read, [[0] * 5, [0] * 5, [0] * 2, [0] * 2], 64)
    reader.fit_memory(layer)
    assert reader.at_once == 2
    assert all(part.grad is None for part in layer.parameters())


def test_work_that_does_not_fit_is_done_in_halves():
    def work(things):
        if sum(things) > 10:
            raise torch.OutOfMemoryError
        return list(things)

    assert in_parts(work, [1, 2, 3]) == [[1, 2, 3]]
    assert in_parts(work, [9, 2, 3, 4]) == [[9], [2], [3, 4]]
    with pytest.raises(torch.OutOfMemoryError):
        in_parts(work, [1, 11])
    with pytest.raises(torch.OutOfMemoryError):
        largest_that_fits(lambda count: work([11]), 8)


def test_an_encoder_short_of_memory_reads_the_same(tiny_encoder, monkeypatch):
    encoder = TextEncoder(tiny_encoder)
    texts = ["space music", "crime", "the western romance story 12", "3"]
    expected, whole = encoder.encode(texts), encoder.vectors

    def small(tokens):
        if len(tokens) > 2:
            raise torch.OutOfMemoryError
        return whole(tokens)

    monkeypatch.setattr(encoder, "vectors", small)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)


# Layers


@pytest.fixture(scope="session")
def tiny_decoders(tiny_encoder, tmp_path_factory) -> dict[str, Path]:
    """A GPT-2 and a Llama of three layers, beside the tokenizer of the encoder."""
    from transformers import AutoTokenizer, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

    torch.manual_seed(0)
    small = {"vocab_size": 40, "bos_token_id": 2, "eos_token_id": 3}
    models = {
        "gpt2": GPT2Model(GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=32, **small)),
        "llama": LlamaModel(
            LlamaConfig(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=3,
                num_attention_heads=2,
                **small,
            )
        ),
    }
    folder = tmp_path_factory.mktemp("decoders")
    for name, model in models.items():
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(folder / name)
    return {name: folder / name for name in models}


TEXT = "the western romance story 12"


def hidden_states(folder) -> tuple[torch.Tensor, ...]:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt")
    with torch.no_grad():
        return model(input_ids=tokens["input_ids"], output_hidden_states=True).hidden_states


def test_the_first_layers_alone_say_what_the_whole_says_there(tiny_encoder):
    first = TextEncoder(tiny_encoder, layers=1, normalise=False).encode([TEXT])[0]
    np.testing.assert_allclose(first, hidden_states(tiny_encoder)[1][0].mean(0), atol=1e-5)


def test_the_first_layers_of_a_decoder_end_in_its_norm(tiny_decoders):
    from transformers import AutoModel

    whole = AutoModel.from_pretrained(tiny_decoders["llama"])
    first = TextEncoder(
        tiny_decoders["llama"],
        layers=2,
        pooling="last",
        normalise=False,
    )
    with torch.no_grad():
        expected = whole.norm(hidden_states(tiny_decoders["llama"])[2])[0, -1]
    np.testing.assert_allclose(first.encode([TEXT])[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_chosen_layers_of_decoders_read(name, tiny_decoders):
    folder = tiny_decoders[name]
    revisions = {
        TextEncoder(folder, layers=layers, pooling="last").revision
        for layers in (None, 2, (0, 2), (2, 0))
    }
    assert len(revisions) == 4
    same = [
        TextEncoder(folder, layers=layers, pooling="last").encode([TEXT]) for layers in (2, (0, 1))
    ]
    np.testing.assert_array_equal(*same)


def test_layers_that_a_model_has_not_are_refused(tiny_encoder):
    for layers in (3, (0, 2)):
        with pytest.raises(ConfigError, match="more than the language model has: 2"):
            TextEncoder(tiny_encoder, layers=layers)
    with pytest.raises(ConfigError, match="cannot be told"):
        keep_layers(Odd(), 1)


class Odd(nn.Module):
    """It says that it has layers, but has none."""

    config = SimpleNamespace(num_hidden_layers=2)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_an_adapter_finds_the_linear_maps_of_decoders(name, tiny_decoders):
    from recdistill.teachers.adapting.settings import Lora
    from recdistill.teachers.adapting.trained import Trained

    encoder = TextEncoder(tiny_decoders[name], pooling="last")
    plain = encoder.encode([TEXT])
    trained = Trained(encoder.model, Lora(rank=2), 0).eval()
    maps = {"gpt2": 4, "llama": 7}[name]  # of a layer: attention and feed-forward net
    assert len(trained.state_dict()) == 3 * maps * 2  # nothing but two matrices for each
    encoder.model = trained.model
    np.testing.assert_allclose(encoder.encode([TEXT]), plain, atol=1e-6)  # B begins as 0


# The log, told in texts


def test_a_library_holds_each_text_once_and_leaves_out_the_silent():
    library = Library.of(["b", "", "a", "b"])
    assert library.texts == ["b", "a"]
    told = library.told(Sequences.from_lists([[0, 1, 2, 3], [1], [3, 2]]))
    assert [told[row].tolist() for row in range(3)] == [[0, 1, 0], [], [0, 1]]
    later = Sequences.from_lists([[0, 1, 2, 3], [1], [3, 2]]).take(np.array([2, 0])).tail(2)
    assert [library.told(later)[row].tolist() for row in range(2)] == [[0, 1], [1, 0]]
    table = library.table(np.array([[1, 2], [3, 4]], dtype=np.float32))
    assert table.tolist() == [[1, 2], [0, 0], [3, 4], [1, 2]]


def test_nearest_recommends_by_the_mean_of_the_latest(tiny_dataset):
    table = torch.randn(len(tiny_dataset.vocabulary), 4)
    model = Nearest(tiny_dataset, table, 2)
    histories = Sequences.from_lists([[3, 1, 2], [], [5]])
    unit = table / table.norm(dim=1, keepdim=True)
    expected = torch.stack([(unit[1] + unit[2]) / 2, torch.zeros(4), unit[5]])
    torch.testing.assert_close(model.states(histories), expected)
