"""Against each pair of prompt and title read on its own by plain transformers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from tiny_decoders import KINDS
from transformers import AutoModelForCausalLM

from recdistill.teachers.decoding.branches import PlainBranches, SharedBranches
from recdistill.teachers.decoding.likelihood import lengths, log_likelihoods
from recdistill.teachers.decoding.probing import branching, within_sight
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.decoding.trie import Trie

TITLES = [
    "The crime story 3",
    "The crime story 31",
    "The space story 3",
    "Alien",
    "The crime story 3",
    "",
    "The music story 12: the end of all music, part one",
]
PROMPTS = [
    "I watched\nThe space story 7\nThe music story 2\nNext:\n",
    "\n",
    "Which one comes next?\n",
]
CANDIDATES = np.array([[0, 1, 2, 3, 4, 6], [6, 5, 4, 0, 1, 2], [3, 3, 0, 2, 6, 1]])


@cache
def in_doubles(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def reference(folder, prompt: list[int], title: list[int]) -> float:
    """log p(title | prompt), by one pass over both, in double precision."""
    with torch.no_grad():
        said = in_doubles(folder)(torch.tensor([prompt + title])).logits[0].log_softmax(1)
    return sum(float(said[len(prompt) - 1 + place, token]) for place, token in enumerate(title))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3", "gemma3", "mistral"])
@pytest.mark.parametrize("way", [SharedBranches, PlainBranches])
def test_likelihoods_are_those_of_pairs_read_alone(decoder_folder, decoder, kind, way):
    model = decoder(kind)
    titles = spoken(model, TITLES, "\n", 16)
    prompts = model.tokens(PROMPTS)
    assert [len(prompt) for prompt in prompts][1] == 1  # a prompt may be nothing but its root
    found = log_likelihoods(way(model, prompts), Trie.of(titles), CANDIDATES)
    for row, prompt in enumerate(prompts):
        for column, item in enumerate(CANDIDATES[row]):
            if not titles[item]:
                assert np.isnan(found[row, column])
                continue
            expected = reference(decoder_folder(kind), prompt, titles[item])
            assert found[row, column] == pytest.approx(expected, abs=1e-4)


def test_two_items_with_one_title_are_equally_likely_and_a_longer_title_is_another(decoder):
    model = decoder("gpt2")
    trie = Trie.of(spoken(model, TITLES, "\n", 16))
    (found,) = log_likelihoods(
        SharedBranches(model, model.tokens(PROMPTS[:1])), trie, np.array([[0, 4, 1]])
    )
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", KINDS)
def test_who_can_share_a_prompt_is_found_out(decoder, kind):
    expected = PlainBranches if kind in ("bloom", "mamba") else SharedBranches
    assert branching(decoder(kind)) is expected


@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_models_that_cannot_share_a_prompt_are_read_plainly(decoder_folder, decoder, kind):
    model = decoder(kind)
    titles = spoken(model, TITLES, "\n", 16)
    prompts = model.tokens(PROMPTS)
    found = log_likelihoods(PlainBranches(model, prompts), Trie.of(titles), CANDIDATES[:, :1])
    for row, prompt in enumerate(prompts):
        expected = reference(decoder_folder(kind), prompt, titles[CANDIDATES[row, 0]])
        assert found[row, 0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["gemma3", "mistral"])
def test_what_is_beyond_a_layers_sight_is_not_shared(decoder, kind):
    model, prompts = decoder(kind), [[5] * 80, [6] * 4]
    assert model.window == 64
    assert within_sight(model, prompts[1:], 8)
    assert not within_sight(model, prompts, 8)
    # And it matters: a mask that shows everything is another model.
    trie, items = Trie.of([[7, 8, 9], [7, 9, 9]]), np.array([[0, 1], [0, 1]])
    shared = log_likelihoods(SharedBranches(model, prompts), trie, items)
    plain = log_likelihoods(PlainBranches(model, prompts), trie, items)
    assert abs(shared[0] - plain[0]).max() > 1e-3
    np.testing.assert_allclose(shared[1], plain[1], atol=1e-4)


@pytest.mark.parametrize(("kind", "window"), [("gpt2", None), ("llama", None), ("qwen3", None)])
def test_models_that_see_everything_have_no_window(decoder, kind, window):
    assert decoder(kind).window == window


def test_lengths_count_the_end(decoder):
    trie = Trie.of([[1, 2, 9], [3, 9], []])
    assert lengths(trie, np.array([[2, 1, 0]])).tolist() == [[0, 2, 3]]
