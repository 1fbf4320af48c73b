"""The model's own space, against loops in double precision and against transformers alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.teachers.decoding.batching import Appetite
from recdistill.teachers.decoding.grounded import Grounded, GroundedConfig, title_vectors
from recdistill.teachers.decoding.states import continued, last_states
from recdistill.teachers.speech import VECTORS, sayable

HISTORIES = Sequences.from_lists([[0, 3], [], [2], [4, 1, 0, 5, 3]])
COUNTS = torch.tensor([9.0, 1.0, 4.0, 2.0, 1.0, 5.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def grounded(make_voice):
    def make(**settings) -> Grounded:
        voice = make_voice("llama")
        vectors = torch.from_numpy(title_vectors(voice, voice.titles))
        vocabulary = Vocabulary(pl.Series([f"i{item}" for item in range(len(voice.titles))]))
        return Grounded(vocabulary, voice, GroundedConfig(**settings), vectors, COUNTS)

    return make


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_last_states_are_those_of_each_text_read_alone(decoder_folder, decoder, kind):
    model = decoder(kind)
    texts = [*model.tokens(["The crime story 3", "A", "The music story 12: and on and on"]), []]
    found = last_states(model, texts, Appetite(30))
    alone = AutoModel.from_pretrained(decoder_folder(kind), dtype=torch.float64).eval()
    for text, vector in zip(texts[:-1], found, strict=False):
        with torch.no_grad():
            state = alone(torch.tensor([text])).last_hidden_state[0, -1]
        np.testing.assert_allclose(vector, state / state.norm(), atol=1e-5)
    assert not found[-1].any()


def test_what_is_written_is_what_the_model_would_go_on_with(decoder_folder, decoder):
    model = decoder("gpt2")
    prompts = model.tokens(["The crime story 3\n", "The space story", "Next:\nThe music"])
    alone = AutoModelForCausalLM.from_pretrained(decoder_folder("gpt2")).eval()
    for prompt, line in zip(prompts, continued(model, prompts, 6, Appetite(40)), strict=True):
        tokens = list(prompt)
        for _ in range(6):
            with torch.no_grad():
                tokens.append(int(alone(torch.tensor([tokens])).logits[0, -1].argmax()))
            if tokens[-1] == model.end:
                break
        text = model.tokenizer.decode(tokens[len(prompt) :], skip_special_tokens=True)
        assert line == (text.strip().splitlines() or [""])[0].strip()


@pytest.mark.parametrize(("exponent", "heat"), [(0.0, 1.0), (0.5, 0.1), (4.0, 2.0)])
def test_scores_are_scaled_distances_weighted_by_popularity(grounded, exponent, heat):
    model = grounded(popularity=exponent, temperature=heat)
    scores = model.score(model.states(HISTORIES)).double()
    said = model.said(HISTORIES.take(np.array([0, 2, 3])))
    vectors = model.network.get_buffer("vectors").double().numpy()
    popular = [(count - 1) / 8 for count in COUNTS.tolist()]
    for row, user in zip([0, 2, 3], said.astype(np.float64), strict=True):
        distances = [float(((user - vector) ** 2).sum()) for vector in vectors]
        low, high = min(distances), max(distances)
        for item, distance in enumerate(distances):
            expected = -(distance - low) / (high - low) / (1 + popular[item]) ** exponent / heat
            assert float(scores[row, item]) == pytest.approx(expected, abs=2e-4 / heat)
    assert not scores[1].any()  # nothing is known of an empty history
    assert model.factorised
    assert set(VECTORS) <= sayable(model)


def test_a_text_is_grounded_where_titles_are(grounded, decoder):
    model = grounded(says="text", text_tokens=6)
    voice = model.voice
    lines = continued(
        decoder("llama"),
        voice.prompts(HISTORIES.take(np.array([0]))),
        6,
        Appetite(),
    )
    expected = title_vectors(voice, lines)
    np.testing.assert_allclose(model.said(HISTORIES.take(np.array([0]))), expected, atol=1e-6)


def test_it_is_read_back_as_it_was(grounded, tmp_path):
    model = grounded(popularity=0.5)
    model.save(tmp_path)
    again = Grounded.load(tmp_path)
    torch.testing.assert_close(
        again.score(again.states(HISTORIES)), model.score(model.states(HISTORIES))
    )
    buffers = dict(model.network.named_buffers())
    assert all(torch.equal(value, buffers[name]) for name, value in again.network.named_buffers())
