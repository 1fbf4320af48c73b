"""What a language model names, as probabilities over a catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.data.sequences import Sequences
from recdistill.models.popularity import Popularity
from recdistill.teachers.decoding.beam import Lists
from recdistill.teachers.decoding.likelihood import log_likelihoods
from recdistill.teachers.decoding.listing import Listing, ListingConfig, Named, spread
from recdistill.teachers.decoding.weighing import share_and_temperature
from recdistill.teachers.speech import LISTS, sayable

HISTORIES = Sequences.from_lists([[0, 3], [], [2, 2, 1]])


@pytest.fixture(scope="module")
def listing(make_voice, tiny_dataset):
    def make(**settings) -> Listing:
        rest = Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)
        voice = make_voice("gpt2", titles=tiny_dataset.items.texts("{title}"))
        return Listing(rest, voice, ListingConfig(**{"beams": 4, **settings}))

    return make


def test_a_list_has_its_share_and_the_others_what_is_left():
    others = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    named = Named(
        torch.tensor([[2, 0, -1]]), torch.tensor([[-1.0, -1.0 - np.log(3.0), -np.inf]]).float()
    )
    found = spread(others, named, ListingConfig(share=0.8, temperature=1.0)).exp()
    # 0.8 · (3 : 1) for items 2 and 0; 0.2 · (2 : 1) for items 1 and 3.
    torch.testing.assert_close(found, torch.tensor([[0.2, 0.4 / 3, 0.6, 0.2 / 3]]))
    cooler = spread(others, named, ListingConfig(share=0.8, temperature=0.5)).exp()
    torch.testing.assert_close(cooler[0, [0, 2]], torch.tensor([0.08, 0.72]))


def test_where_nothing_is_named_the_other_speaks_alone():
    others = torch.tensor([[0.5, 0.5]]).log()
    named = Named(torch.tensor([[-1, -1]]), torch.tensor([[-np.inf, -np.inf]]).float())
    torch.testing.assert_close(spread(others, named, ListingConfig()), others)


def test_it_can_name_nothing_else(listing):
    assert listing().account().facts() == {"constrained": True, "grounded": 1.0}


def test_scores_are_log_probabilities_and_what_is_named_comes_first(listing):
    model = listing(share=0.9)
    scores = model.score(model.states(HISTORIES))
    torch.testing.assert_close(scores.logsumexp(1), torch.zeros(3))
    lists = model.listed(HISTORIES)
    for row in (0, 2):
        named = [item for item in lists.items[row].tolist() if item >= 0]
        assert named
        assert not set(named) & set(HISTORIES[row].tolist())
        assert float(scores[row, named].exp().sum()) == pytest.approx(0.9, abs=1e-5)
        assert scores[row].argmax() == named[0]
        (likely,) = log_likelihoods(
            model.voice.branches(model.voice.prompts(HISTORIES.take(np.array([row])))),
            model.voice.trie,
            np.array([named]),
        )
        np.testing.assert_allclose(lists.log_p[row][lists.items[row] >= 0], likely, atol=1e-4)
    alone = model.rest.score(model.rest.states(HISTORIES)).log_softmax(1)
    torch.testing.assert_close(scores[1], alone[1])
    assert sayable(model) == set(LISTS)
    torch.testing.assert_close(
        model.score(model.states(HISTORIES), torch.tensor([3, 1])), scores[:, [3, 1]]
    )


def test_items_may_be_named_again_where_users_take_them_again(listing):
    everything = listing(beams=40, repeats=True).listed(HISTORIES)
    assert set(HISTORIES[0].tolist()) <= set(everything.items[0].tolist())


def test_it_is_read_back_as_it_was(listing, tmp_path):
    model = listing(share=0.7, temperature=2.0)
    model.save(tmp_path)
    again = Listing.load(tmp_path)
    torch.testing.assert_close(
        again.score(again.states(HISTORIES)), model.score(model.states(HISTORIES))
    )


def test_share_and_temperature_make_the_answers_likeliest():
    draw = np.random.default_rng(0)
    log_p = np.sort(draw.normal(0, 3, (60, 5)), axis=1)[:, ::-1].astype(np.float32)
    lists = Lists(np.tile(np.arange(5), (60, 1)), log_p)
    answers = draw.integers(0, 8, 60)
    share, heat = share_and_temperature(lists, answers)
    listed = answers < 5
    assert share == pytest.approx((listed.sum() + 1) / 62)

    def surprise(at: float) -> float:
        said = torch.from_numpy(log_p[listed]).double().div(at).log_softmax(1)
        chosen = said[torch.arange(int(listed.sum())), torch.from_numpy(answers[listed])]
        return float(-chosen.sum() + 0.5 * np.log(at) ** 2)

    best = min(np.geomspace(0.05, 50, 600), key=surprise)
    assert heat == pytest.approx(best, rel=0.01)


def test_without_a_hit_the_order_is_believed_as_it_is():
    lists = Lists(np.array([[0, 1]]), np.array([[-1, -2]], dtype=np.float32))
    assert share_and_temperature(lists, np.array([7])) == (
        pytest.approx(1 / 3),
        pytest.approx(1, rel=1e-3),
    )
