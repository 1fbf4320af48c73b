"""Beams that never leave the catalogue, against the likelihood of every title."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.teachers.decoding.beam import ranked
from recdistill.teachers.decoding.branches import PlainBranches, SharedBranches
from recdistill.teachers.decoding.likelihood import log_likelihoods
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.decoding.trie import Trie

TITLES = [
    *(f"The {kind} story {number}" for number in (1, 3, 12, 31) for kind in ("crime", "space")),
    "Alien",
    "Alien",
    "",
    "Aliens",
    "The",
]
PROMPTS = ["Seen:\nThe crime story 3\n", "Seen:\nAlien\nThe space story 12\nNext:\n", "\n"]


@pytest.fixture(scope="module")
def trie(decoder):
    return Trie.of(spoken(decoder("gpt2"), TITLES, "\n", 16))


def everything(model, prompts, trie):
    """All items by log-likelihood, the likeliest first; those without a title last."""
    items = np.tile(np.arange(len(TITLES)), (len(prompts), 1))
    found = log_likelihoods(SharedBranches(model, prompts), trie, items)
    order = np.argsort(-np.nan_to_num(found, nan=-np.inf), axis=1, kind="stable")
    return order, np.take_along_axis(found, order, axis=1)


@pytest.mark.parametrize("way", [SharedBranches, PlainBranches])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_wide_beams_find_the_likeliest_titles_in_order(decoder, trie, kind, way):
    model = decoder(kind)
    prompts = model.tokens(PROMPTS)
    order, log_p = everything(model, prompts, trie)
    found = ranked(way(model, prompts), len(prompts), trie, width=len(TITLES), count=len(TITLES))
    named = len(TITLES) - 1
    for row in range(len(prompts)):
        # Equal titles are equally likely; which of them is first is settled by their ids.
        assert found.items[row, :named].tolist() == order[row, :named].tolist()
        np.testing.assert_allclose(found.log_p[row, :named], log_p[row, :named], atol=1e-4)
    assert (found.items[:, named:] == -1).all()
    assert np.isneginf(found.log_p[:, named:]).all()


@pytest.mark.parametrize(("width", "count"), [(1, 1), (2, 3), (4, 2), (3, 8)])
def test_narrow_beams_name_different_items_of_the_catalogue_with_their_own_likelihoods(
    decoder, trie, width, count
):
    model = decoder("llama")
    prompts = model.tokens(PROMPTS)
    order, log_p = everything(model, prompts, trie)
    found = ranked(SharedBranches(model, prompts), len(prompts), trie, width=width, count=count)
    assert found.items.shape == (len(prompts), count)
    assert (found.items[:, 0] >= 0).all()
    for row in range(len(prompts)):
        items = [item for item in found.items[row].tolist() if item >= 0]
        assert len(set(items)) == len(items)
        assert all(TITLES[item] for item in items)
        known = dict(zip(order[row].tolist(), log_p[row].tolist(), strict=True))
        for item, value in zip(items, found.log_p[row], strict=False):
            assert value == pytest.approx(known[item], abs=1e-4)
        assert (np.diff(found.log_p[row][: len(items)]) <= 0).all()


def test_a_prompt_is_answered_alike_alone_and_among_others(decoder, trie):
    model = decoder("qwen3")
    prompts = model.tokens(PROMPTS)
    together = ranked(SharedBranches(model, prompts), 3, trie, width=3, count=4)
    for row, prompt in enumerate(prompts):
        alone = ranked(SharedBranches(model, [prompt]), 1, trie, width=3, count=4)
        assert alone.items[0].tolist() == together.items[row].tolist()
        np.testing.assert_allclose(alone.log_p[0], together.log_p[row], atol=1e-4)


def test_nothing_outside_the_catalogue_is_ever_said(decoder, trie):
    """Two hundred prompts of noise (ten thousand in `benchmarks/language.py`): whatever is read, titles come out."""
    model, draw = decoder("gpt2"), np.random.default_rng(0)
    prompts = [draw.integers(300, size=draw.integers(1, 12)).tolist() for _ in range(200)]
    found = ranked(SharedBranches(model, prompts), len(prompts), trie, width=2, count=2)
    said = found.items[found.items >= 0]
    assert len(said) >= 200
    assert set(said.tolist()) <= {item for item, title in enumerate(TITLES) if title}
