"""Filters against the same thing done by hand, row by row, in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logit_objectives import targets, top_k
from pydantic import ValidationError

from recdistill.distill.filters import (
    Confident,
    Disagreement,
    Heard,
    InversePropensity,
    Labelled,
    Noise,
    Part,
    Random,
    TeacherRight,
    Top,
)
from recdistill.distill.filters.labelled import lots
from recdistill.distill.filters.propensity import inverse_propensity
from recdistill.distill.objectives import KL, MSE, Align, NextItem
from recdistill.distill.places import Places
from recdistill.distill.recipe import Recipe
from recdistill.distill.schedules import Linear
from recdistill.errors import ConfigError
from recdistill.models._chunks import PickedLogits
from recdistill.signals import HardLabel as HardLabelKind
from recdistill.signals import TopK

ITEMS = 40


def stored(temperature=1.0):
    """A signal as it is stored: its probabilities and its rest sum to one."""
    signal, full = top_k(temperature=temperature)
    mass = torch.logsumexp(full / temperature, dim=1)
    logits = signal["logits"] - temperature * mass[:, None]
    return {"items": signal["items"], "logits": logits, "rest": signal["rest"] - mass}


@pytest.fixture
def heard():
    signal = stored()
    return Heard(signal, torch.ones(len(signal["items"])))


@pytest.fixture
def logits(heard):
    make = torch.Generator().manual_seed(5)
    states = torch.randn(len(heard.counts), 4, generator=make)
    return PickedLogits(states, torch.randn(ITEMS, 4, generator=make))


@pytest.fixture
def places(heard):
    events = torch.arange(len(heard.counts))
    return Places(targets()[: len(events)], torch.arange(1.0, ITEMS + 1), events)


def through(each, heard, logits, places, progress=0.0):
    return each(heard, logits, places, each.knobs(progress, {}))


def test_random_hears_the_share_it_says(logits, places):
    heard = Heard({}, torch.ones(20_000))
    torch.manual_seed(0)
    for keep in (0.0, 0.3, 1.0):
        counts = through(Random(keep=keep), heard, logits, places).counts
        assert counts.mean().item() == pytest.approx(keep, abs=3 * math.sqrt(0.25 / 20_000))


def test_a_share_may_change_with_time(logits, places):
    heard = Heard({}, torch.ones(100))
    each = Random(keep=Linear(**{"from": 0.0, "to": 1.0}))
    assert through(each, heard, logits, places, 0.0).counts.sum() == 0
    assert through(each, heard, logits, places, 1.0).counts.sum() == 100


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_what_leaves_a_list_joins_the_rest(logits, places, temperature):
    """Whatever is cut, the probabilities still sum to one, at the signal's own temperature."""
    signal = stored(temperature)
    heard = Heard(signal, torch.ones(len(signal["items"])), temperature)
    for each in (Top(n=3), Part(keep=0.4)):
        found = through(each, heard, logits, places).signal
        for row in range(len(found["items"])):
            listed = np.exp(found["logits"][row].double().numpy() / temperature).sum()
            assert listed + math.exp(found["rest"][row]) == pytest.approx(1, abs=1e-4)


def test_top_is_the_head_of_the_list(heard, logits, places):
    found = through(Top(n=3), heard, logits, places).signal
    torch.testing.assert_close(found["items"], heard.signal["items"][:, :3])
    torch.testing.assert_close(found["logits"], heard.signal["logits"][:, :3])


def test_a_list_cut_by_nothing_is_the_same(heard, logits, places):
    for each in (Top(n=10_000), Part(keep=1.0)):
        found = through(each, heard, logits, places).signal
        for name, field in heard.signal.items():
            torch.testing.assert_close(found[name], field)


def test_part_keeps_order_and_pairs_and_changes_from_step_to_step(heard, logits, places):
    torch.manual_seed(0)
    one, other = (through(Part(keep=0.5), heard, logits, places).signal for _ in range(2))
    assert not torch.equal(one["items"], other["items"])
    for row, (items, values) in enumerate(zip(one["items"], one["logits"], strict=True)):
        whole = heard.signal["items"][row].tolist()
        where = [whole.index(item) for item in items.tolist()]
        assert where == sorted(where)
        torch.testing.assert_close(values, heard.signal["logits"][row][where])


def test_teacher_right_hears_where_the_target_is_listed(heard, logits, places):
    found = through(TeacherRight(within=4), heard, logits, places).counts
    for row, count in enumerate(found.tolist()):
        assert count == (int(places.targets[row]) in heard.signal["items"][row, :4].tolist())


def test_confident_reads_lists_and_labels(heard, logits, places):
    best = heard.signal["logits"].double().exp().max(1).values
    middle = float(best.median())
    found = through(Confident(above=middle), heard, logits, places).counts
    torch.testing.assert_close(found, (best >= middle).float())
    label = Heard(
        {"items": torch.tensor([1, 2]), "confidence": torch.tensor([0.2, 0.6])}, torch.ones(2)
    )
    assert through(Confident(above=0.5), label, logits, places).counts.tolist() == [0, 1]


def test_disagreement_is_about_the_first_choice_of_the_list(heard, logits, places):
    found = through(Disagreement(), heard, logits, places).counts
    scores = logits.full().double().numpy()
    for row, items in enumerate(heard.signal["items"].tolist()):
        own = max(items, key=lambda item: scores[row, item])
        teacher = items[int(heard.signal["logits"][row].argmax())]
        assert found[row].item() == (own != teacher)


def test_noise_has_the_deviation_it_says_and_leaves_the_items(logits, places):
    signal = {"items": torch.zeros(400, 50, dtype=torch.long), "logits": torch.zeros(400, 50)}
    torch.manual_seed(1)
    found = through(Noise(deviation=0.7), Heard(signal, torch.ones(400)), logits, places).signal
    assert found["logits"].std().item() == pytest.approx(0.7, rel=0.02)
    assert torch.equal(found["items"], signal["items"])
    some = through(Noise(share=0.25), Heard(signal, torch.ones(400)), logits, places).signal
    assert (some["logits"] != 0).any(1).float().mean().item() == pytest.approx(0.25, abs=0.08)


@given(
    st.lists(st.floats(1, 1e5), min_size=1, max_size=30),
    st.floats(0, 1),
    st.floats(0.5, 100),
)
def test_propensity_weights_average_to_one_and_favour_the_rare(popularity, power, clip):
    counts = torch.tensor(popularity, dtype=torch.float64)
    weights = inverse_propensity(counts, power, clip)
    assert (counts * weights).sum().item() == pytest.approx(counts.sum().item(), rel=1e-9)
    ordered = weights[counts.argsort()]
    assert (ordered.diff() <= 1e-12).all()


def test_propensity_weights_by_hand(heard, logits):
    """Popularities 1, 4, 16 have mean 7, so the raw weights at power ½ are √7, √7/2, √7/4."""
    places = Places(torch.tensor([0, 1, 2]), torch.tensor([1.0, 4.0, 16.0]), torch.arange(3))
    found = through(InversePropensity(), Heard({}, torch.ones(3)), logits, places).counts
    raw = np.array([1, 1 / 2, 1 / 4])
    np.testing.assert_allclose(found, raw * 21 / (raw * [1, 4, 16]).sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        (NextItem(filters=(Top(),)), "hears no teacher, but its filter 'top' works on 'top-k'"),
        (NextItem(filters=(Random(),)), "works on 'hard-label' or 'top-k'"),
    ],
)
def test_a_filter_that_cannot_serve_is_refused_before_training(objective, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Recipe.of([objective]).check({})


def test_filters_that_serve_are_taken():
    says = {"top-k": TopK(), "hard-label": HardLabelKind()}
    Recipe.of([NextItem(filters=(InversePropensity(),)), KL(filters=(Top(), Noise()))]).check(says)
    Recipe.of({"objectives": [{"kind": "hard-label", "filters": [{"kind": "confident"}]}]}).check(
        says
    )


@pytest.mark.parametrize(
    "settings",
    [{"kind": "random", "keep": 1.2}, {"kind": "part", "keep": -0.1}, {"kind": "top", "n": 0}],
)
def test_rates_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        MSE.model_validate({"filters": [settings]})


def test_vector_terms_have_no_filters():
    with pytest.raises(ValidationError, match="filters"):
        Align.model_validate({"filters": [{"kind": "random"}]})


@given(st.integers(0, 2**31), st.integers(0, 2**62))
def test_lots_are_a_function_of_seed_and_event_alone(seed, first):
    events = torch.arange(first, first + 50)
    drawn = lots(events, seed)
    assert ((drawn >= 0) & (drawn < 1)).all()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(seed % 1000))
    assert torch.equal(lots(events[order], seed), drawn[order])


def test_lots_are_even_and_independent():
    events = torch.arange(200_000)
    one, other = lots(events, 0).double(), lots(events, 1).double()
    assert (torch.histc(one, 20) - 10_000).abs().max() < 5 * (10_000 * 0.95) ** 0.5
    pairs = torch.stack([one[:-1], one[1:], other[1:]])
    assert torch.corrcoef(pairs).fill_diagonal_(0).abs().max() < 5 / 200_000**0.5


def test_labelled_is_a_fixed_share_that_counts_for_the_rest(logits):
    events = torch.arange(40_000)
    there = Places(events % ITEMS, torch.ones(ITEMS), events)
    everywhere = Heard({}, torch.full((40_000,), 2.0))

    def counts(**settings):
        return Labelled(**settings)(everywhere, logits, there, {}).counts

    few, more = counts(share=0.01), counts(share=0.1)
    assert set(few.tolist()) == {0.0, 200.0}
    assert set(more.tolist()) == {0.0, 20.0}
    assert (more[few > 0] > 0).all()
    assert more.mean().item() == pytest.approx(2.0, rel=0.08)
    assert torch.equal(counts(share=1.0), everywhere.counts)
    assert torch.equal(counts(), more)
    assert not torch.equal(counts(seed=1), more)


def test_what_is_no_event_of_the_log_is_never_labelled(logits):
    nowhere = Places(torch.zeros(9, dtype=torch.int64), torch.ones(ITEMS), torch.full((9,), -1))
    assert not Labelled(share=1.0)(Heard({}, torch.ones(9)), logits, nowhere, {}).counts.any()


def test_labels_may_be_few_where_the_teacher_is_heard_everywhere():
    recipe = Recipe(objectives=(NextItem(filters=(Labelled(),)), KL()))
    recipe.check({"top-k": TopK()})
    assert recipe.untaught().objectives == recipe.objectives[:1]
