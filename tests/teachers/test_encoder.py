from __future__ import annotations

import io
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from code_of_its_own import with_code

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.teachers.encoder import TextEncoder, text_key
from recdistill.teachers.text_vectors import text_vectors

TEXTS = ["The crime story 3", "music", "The western romance story 12 of space music", "space"]


@pytest.fixture
def encoder(tiny_encoder):
    return TextEncoder(tiny_encoder)


def hidden_states(folder, text: str) -> torch.Tensor:
    """Of one text without padding, by transformers directly."""
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_pooling_is_that_of_each_text_alone_without_padding(tiny_encoder, pooling):
    encoder = TextEncoder(tiny_encoder, pooling=pooling, normalise=False)
    vectors = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        hidden = hidden_states(tiny_encoder, text)
        expected = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling]
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_normalised_vectors_have_length_one_and_the_same_direction(tiny_encoder, encoder):
    unit = encoder.encode(TEXTS)
    plain = TextEncoder(tiny_encoder, normalise=False).encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-6
    )


def test_long_texts_are_cut(tiny_encoder):
    short = TextEncoder(tiny_encoder, max_tokens=5)
    long = " ".join(["space"] * 500)
    np.testing.assert_allclose(short.encode([long]), short.encode(["space " * 3]), atol=1e-5)


def test_the_revision_changes_with_weights_pooling_and_length(tiny_encoder, tmp_path):
    revisions = {
        TextEncoder(tiny_encoder).revision,
        TextEncoder(tiny_encoder, pooling="cls").revision,
        TextEncoder(tiny_encoder, max_tokens=9).revision,
        TextEncoder(tiny_encoder, normalise=False).revision,
    }
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(tiny_encoder, tmp_path / "other")
    assert TextEncoder(other).revision in revisions
    weights = load_file(other / "model.safetensors")
    weights[min(weights)] = weights[min(weights)] + 1e-3
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    assert len(revisions | {TextEncoder(other).revision}) == 5


def test_a_model_without_safetensors_is_refused(tiny_encoder, tmp_path):
    other = shutil.copytree(tiny_encoder, tmp_path / "other")
    (other / "model.safetensors").rename(other / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="no weights in safetensors") as caught:
        TextEncoder(other)
    assert "run code" in caught.value.hint


def test_code_that_comes_with_a_model_is_never_run(tiny_encoder, tmp_path, monkeypatch):
    """Not even where somebody at the terminal says yes to whatever is asked."""
    other, ran = with_code(tiny_encoder, tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        TextEncoder(other)
    assert not ran.exists()


def test_a_tokenizer_without_padding_pads_with_its_end(tiny_encoder, tmp_path):
    other = shutil.copytree(tiny_encoder, tmp_path / "other")
    settings = json.loads((other / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    settings["eos_token"] = "[SEP]"
    (other / "tokenizer_config.json").write_text(json.dumps(settings))
    vectors = TextEncoder(other).encode(TEXTS)
    np.testing.assert_allclose(vectors, TextEncoder(tiny_encoder).encode(TEXTS), atol=1e-5)


def test_without_transformers_the_extra_is_named(tiny_encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError) as caught:
        TextEncoder(tiny_encoder)
    assert "recdistill[teacher]" in caught.value.hint


# Vectors that are kept


def test_vectors_are_in_the_order_of_the_texts_and_zero_for_empty_ones(encoder, tmp_path):
    texts = [*TEXTS, "", TEXTS[1]]
    vectors = text_vectors(encoder, texts, batch_size=2, cache=tmp_path)
    np.testing.assert_allclose(
        vectors[:4], np.vstack([encoder.encode([t]) for t in TEXTS]), atol=1e-5
    )
    assert (vectors[4] == 0).all()
    np.testing.assert_array_equal(vectors[5], vectors[1])


def test_vectors_are_made_once(encoder, tmp_path, monkeypatch):
    first = text_vectors(encoder, TEXTS, cache=tmp_path)
    monkeypatch.setattr(encoder, "encode", lambda texts: pytest.fail("read again"))
    np.testing.assert_array_equal(text_vectors(encoder, TEXTS, cache=tmp_path), first)
    np.testing.assert_array_equal(text_vectors(encoder, TEXTS[::-1], cache=tmp_path), first[::-1])


def test_an_interrupted_reading_goes_on(encoder, tmp_path, monkeypatch):
    from recdistill.teachers import text_vectors as module

    monkeypatch.setattr(module, "_SHARD_TEXTS", 2)
    expected = text_vectors(encoder, TEXTS, batch_size=1, cache=tmp_path / "whole")
    encode, read = encoder.encode, []

    def dying(texts):
        read.extend(texts)
        if len(read) == 4:
            raise KeyboardInterrupt
        return encode(texts)

    monkeypatch.setattr(encoder, "encode", dying)
    with pytest.raises(KeyboardInterrupt):
        text_vectors(encoder, TEXTS, batch_size=1, cache=tmp_path / "cut")
    vectors = text_vectors(encoder, TEXTS, batch_size=1, cache=tmp_path / "cut")
    np.testing.assert_array_equal(vectors, expected)
    assert len(read) == 4 + 2  # two of the four were in a finished shard


def test_keys_of_texts_are_the_same_everywhere():
    assert text_key("The Matrix (1999)") == text_key("The Matrix (1999)") != text_key("The Matrix")
    assert text_key("") == int.from_bytes(
        bytes.fromhex("e3b0c44298fc1c14"), "little"
    )  # the first bytes of SHA-256 of nothing
