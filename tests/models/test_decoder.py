"""A recommender made of a language model's layers, against the language model itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from code_of_its_own import with_code
from language import KINDS, decoder
from live import ROWS, batch_of
from transformers import AutoModel

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.objectives.attending import relations
from recdistill.errors import ConfigError
from recdistill.language import backbone
from recdistill.models.decoder import Decoder, DecoderConfig
from recdistill.models.internals import Anatomy, watched
from recdistill.models.recommender import Recommender

ITEMS = Vocabulary(pl.Series(range(12)))


def made(folder: Path, **settings: Any) -> Decoder:
    """A model with the language model's weights, asleep."""
    torch.manual_seed(1)
    config = DecoderConfig(model=str(folder), width=8, history=6, **settings)
    model = Decoder(config, ITEMS)
    backbone.read_weights(model.network.layers, folder, config.layers)
    model.network.start.fill_(0.5)
    model.network.eval()
    return model


def test_code_that_comes_with_a_decoder_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from its folder, and not from the architecture that somebody's student names."""
    folder, ran = with_code(decoder(tmp_path / "lm", "llama"), tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    with pytest.raises(ConfigError, match="There is no language model"):
        backbone.architecture(folder, None)
    code = {"model_type": "own", "auto_map": {"AutoModel": f"{folder}--own.AutoModel"}}
    with pytest.raises(ConfigError, match="without code of its own"):
        backbone.backbone({"hidden_size": 8, **code})
    assert not ran.exists()


def test_weights_are_read_without_running_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made(decoder(tmp_path / "lm", "llama"))
    folder, ran = with_code(tmp_path / "lm", tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    with pytest.raises(ConfigError, match="cannot be read"):
        backbone.read_weights(model.network.layers, folder, None)
    assert not ran.exists()


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return decoder(tmp_path / "lm", request.param)


def by_hand(model: Decoder, lm: Any, history: list[int]) -> Any:
    """What transformers' own model gives for one history, item vectors in the place of tokens."""
    network = model.network
    events = network.inward(model.item_table()[history] * 8**0.5)[None]
    return lm(inputs_embeds=events, output_hidden_states=True, output_attentions=True)


@torch.no_grad()
def test_says_what_the_language_model_says(folder: Path) -> None:
    model = made(folder)
    lm = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    found = model.states(Sequences.from_lists([*ROWS, []]))
    for row, history in enumerate(ROWS):
        last = by_hand(model, lm, history).last_hidden_state[0, -1]
        state = model.network.norm(model.network.outward(last))
        torch.testing.assert_close(found[row], state, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[-1], torch.full((8,), 0.5))


@torch.no_grad()
def test_what_goes_on_inside_is_what_goes_on_in_the_language_model(folder: Path) -> None:
    model = made(folder)
    lm = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    assert Anatomy.of(model.network) == Anatomy(3, 16, 4)
    batch = batch_of()
    with watched(model.network) as seen:
        model.encode(batch)
    model.encode(batch)  # nobody listens any more
    assert [one.shape for one in seen.hidden] == [(len(batch), 16)] * 3
    first = 0
    for _, rows, length in batch.runs:
        for _ in range(rows):
            part = slice(first, first + length)
            wanted = by_hand(model, lm, batch.items[part].tolist())
            for level in range(2):  # of the last layer transformers tells what its norm made of it
                hidden = wanted.hidden_states[level + 1][0]
                torch.testing.assert_close(seen.hidden[level][part], hidden, rtol=1e-4, atol=1e-5)
            for level in range(3):
                query, key = (
                    seen.parts[level][part][None, :, 0],
                    seen.parts[level][part][None, :, 1],
                )
                maps = relations(query, key).exp().tril()[0]
                torch.testing.assert_close(maps, wanted.attentions[level][0], rtol=1e-4, atol=1e-5)
            first += length


@torch.no_grad()
@pytest.mark.parametrize(("layers", "kept"), [(1, [0]), ((0, 2), [0, 2]), (None, [0, 1, 2])])
def test_only_some_layers_are_kept(tmp_path: Path, layers: Any, kept: list[int]) -> None:
    folder = decoder(tmp_path / "lm")
    model = made(folder, layers=layers)
    lm = AutoModel.from_pretrained(folder).eval()
    lm.layers = torch.nn.ModuleList(lm.layers[number] for number in kept)
    lm.config.num_hidden_layers = len(kept)
    found = model.states(Sequences.from_lists(ROWS))
    network = model.network
    for row, history in enumerate(ROWS):
        events = network.inward(model.item_table()[history] * 8**0.5)[None]
        last = lm(inputs_embeds=events, use_cache=False).last_hidden_state[0, -1]
        torch.testing.assert_close(
            found[row], network.norm(network.outward(last)), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("layers", [4, (0, 3)])
def test_layers_that_are_not_there_are_refused(tmp_path: Path, layers: Any) -> None:
    with pytest.raises(ConfigError, match="has 3 layers"):
        made(decoder(tmp_path / "lm"), layers=layers)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no language model"):
        made(tmp_path)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = decoder(tmp_path / "lm")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        made(folder)


@torch.no_grad()
def test_saved_it_needs_no_language_model_any_more(tmp_path: Path) -> None:
    folder = decoder(tmp_path / "lm")
    model = made(folder, layers=2)
    model.save(tmp_path / "saved")
    folder.rename(tmp_path / "gone")
    back = Recommender.load(tmp_path / "saved")
    histories = Sequences.from_lists(ROWS)
    torch.testing.assert_close(back.states(histories), model.states(histories), rtol=0, atol=0)


def test_words_are_left_out_and_everything_else_learns(folder: Path) -> None:
    model = made(folder)
    model.encode(batch_of()).square().sum().backward()
    silent = [name for name, value in model.network.named_parameters() if value.grad is None]
    assert silent == []
    assert not any(50 in value.shape for value in model.network.parameters())
