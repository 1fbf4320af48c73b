"""Every combiner against its definition, written out in double precision, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from recdistill.teachers.combining import (
    AnyCombiner,
    Confidence,
    LinearPool,
    Mean,
    PerContext,
    Probabilities,
    Vote,
    pooled,
)
from recdistill.teachers.combining.certainty import certainty
from recdistill.teachers.combining.vote import ballots

POOLS = [
    Probabilities(),
    Vote(top=4),
    Vote(top=1, rest=0.2),
    Confidence(),
    Confidence(by="max-probability", power=2.0),
    PerContext(),
]
names = [f"{one.kind}-{number}" for number, one in enumerate(POOLS)]
pools = pytest.mark.parametrize("pool", POOLS, ids=names)
MEMBERS, ROWS, ITEMS = 3, 5, 12


def drawn(seed: int, members: int = MEMBERS) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and log-weights."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(members, ROWS, ITEMS)).astype(np.float32) * 3
    weights = rng.dirichlet(np.ones(members), size=ROWS).T
    return torch.from_numpy(scores), torch.from_numpy(np.log(weights)).float()


def combined(pool: LinearPool, scores: torch.Tensor, log_weights: torch.Tensor) -> np.ndarray:
    return pooled(pool.voices(scores), log_weights).double().numpy()


def given_to_items(pool: LinearPool, scores: np.ndarray) -> np.ndarray:
    """What one member gives the items of one row, by the definition in the docs."""
    p = softmax(scores)
    if isinstance(pool, Vote):
        points = np.zeros(len(p))
        order = sorted(range(len(p)), key=lambda item: (-scores[item], item))
        for place, item in enumerate(order[: pool.top]):
            points[item] = pool.top - place
        return (1 - pool.rest) * points / points.sum() + pool.rest * p
    if isinstance(pool, Confidence):
        sure = p.max() if pool.by == "max-probability" else 1 - entropy(p) / np.log(len(p))
        return sure**pool.power * p
    return p


def reference(pool: LinearPool, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    members, rows, items = scores.shape
    total = np.zeros((rows, items))
    for row in range(rows):
        for member in range(members):
            total[row] += weights[member, row] * given_to_items(pool, scores[member, row])
    return np.log(total / total.sum(1, keepdims=True))


@pools
@given(seed=st.integers(0, 10_000))
def test_combined_probabilities_are_those_of_the_definition(pool, seed):
    scores, log_weights = drawn(seed)
    expected = reference(pool, scores.double().numpy(), log_weights.double().exp().numpy())
    np.testing.assert_allclose(combined(pool, scores, log_weights), expected, atol=2e-5)


@pools
def test_what_weights_are_chosen_by_ranks_like_the_combination(pool):
    scores, _ = drawn(3)
    weights = torch.tensor([0.2, 0.5, 0.3])
    summed = (pool.summands(scores) * weights[:, None, None]).sum(0)
    found = combined(pool, scores, weights.log()[:, None].expand(-1, ROWS))
    np.testing.assert_array_equal(np.argsort(-summed.numpy()), np.argsort(-found))


def test_the_mean_adds_up_the_scores_themselves():
    scores, _ = drawn(0)
    assert Mean().summands(scores) is scores


@pools
@given(seed=st.integers(0, 10_000))
def test_members_may_come_in_any_order_with_their_weights(pool, seed):
    scores, log_weights = drawn(seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(MEMBERS))
    np.testing.assert_allclose(
        combined(pool, scores[order], log_weights[order]),
        combined(pool, scores, log_weights),
        atol=2e-5,
    )


@pools
@given(seed=st.integers(0, 10_000))
def test_one_member_ranks_as_it_does_alone(pool, seed):
    scores, _ = drawn(seed, members=1)
    found = combined(pool, scores, torch.zeros(1, ROWS))
    np.testing.assert_array_equal(
        np.argsort(-found, kind="stable"), np.argsort(-scores[0].numpy(), kind="stable")
    )


@pools
@given(seed=st.integers(0, 10_000))
def test_equal_members_are_the_member(pool, seed):
    scores, log_weights = drawn(seed)
    alike = scores[:1].expand(MEMBERS, -1, -1)
    alone = combined(pool, scores[:1], torch.zeros(1, ROWS))
    np.testing.assert_allclose(combined(pool, alike, log_weights), alone, atol=2e-5)


@pytest.mark.parametrize("pool", [one for one in POOLS if not isinstance(one, Vote)])
def test_one_member_keeps_its_probabilities(pool):
    scores, _ = drawn(1, members=1)
    expected = log_softmax(scores[0].double().numpy(), axis=1)
    np.testing.assert_allclose(combined(pool, scores, torch.zeros(1, ROWS)), expected, atol=2e-5)


@pools
def test_a_constant_added_to_a_members_scores_changes_nothing(pool):
    scores, log_weights = drawn(2)
    moved = scores + torch.randn(MEMBERS, ROWS, 1)
    np.testing.assert_allclose(
        combined(pool, moved, log_weights), combined(pool, scores, log_weights), atol=1e-4
    )


@pools
def test_far_down_items_keep_their_order(pool):
    """Their probabilities are 0 in single precision; their logarithms are not."""
    scores = torch.tensor([[[500.0, 0.0, -100.0, -200.0]]])
    found = combined(pool, scores, torch.zeros(1, 1))
    assert np.isfinite(found).all()
    assert np.argsort(-found[0]).tolist() == [0, 1, 2, 3]


# Votes


def test_votes_by_hand():
    """Two voters, three places: 3, 2 and 1 of 6 points; weights 3/4 and 1/4."""
    scores = torch.tensor([[[5.0, 4, 3, 2, 1]], [[1.0, 2, 3, 4, 5]]])
    points = ballots(scores, 3)
    torch.testing.assert_close(points * 6, torch.tensor([[[3.0, 2, 1, 0, 0]], [[0.0, 0, 1, 2, 3]]]))
    found = combined(Vote(top=3, rest=1e-9), scores, torch.tensor([[0.75], [0.25]]).log())
    expected = np.array([9, 6, 4, 2, 3]) / 24
    np.testing.assert_allclose(np.exp(found[0]), expected, atol=1e-6)


def test_with_one_place_the_most_named_item_wins_however_sure_the_others_are():
    sure, unsure = [9.0, 0.0, 0.0], [0.0, 0.2, 0.1]
    scores = torch.tensor([[sure], [unsure], [unsure]])
    thirds = torch.full((3, 1), 1 / 3).log()
    assert combined(Vote(top=1), scores, thirds)[0].argmax() == 1
    assert combined(Probabilities(), scores, thirds)[0].argmax() == 0


def test_votes_do_not_depend_on_how_sure_a_member_is():
    scores, _ = drawn(4)
    torch.testing.assert_close(ballots(scores, 4), ballots(scores * 7, 4))


def test_equals_and_unnamed_items_are_ordered_by_their_probabilities():
    scores = torch.tensor([[[3.0, 2.0, 1.0, 1.5, -1.0]], [[2.0, 3.5, 1.0, 1.5, -1.0]]])
    found = combined(Vote(top=1), scores, torch.full((2, 1), 0.5).log())
    assert np.argsort(-found[0]).tolist() == [1, 0, 3, 2, 4]


def test_a_catalogue_shorter_than_the_list_is_voted_on_whole():
    torch.testing.assert_close(
        ballots(torch.tensor([[[1.0, 3.0]]]), 10), torch.tensor([[[1.0, 2.0]]]) / 3
    )


# Certainty


def test_certainty_lies_between_nothing_and_all():
    flat, sharp = torch.zeros(1, 8), torch.tensor([[50.0, *[0.0] * 7]])
    assert certainty(flat.log_softmax(1)) == pytest.approx(0, abs=1e-6)
    assert certainty(sharp.log_softmax(1)) == pytest.approx(1)
    assert certainty(flat.log_softmax(1), "max-probability") == pytest.approx(1 / 8)
    assert certainty(torch.zeros(1, 1)) == 1


def test_certainty_of_halves_by_hand():
    """Half of the items share everything: log 4 of log 8 is 2/3 of the most there could be."""
    p = torch.tensor([[0.25] * 4 + [1e-30] * 4])
    assert certainty(p.log()) == pytest.approx(1 / 3)


def test_without_power_confidence_is_soft_voting_and_with_much_the_surest_speaks():
    scores, log_weights = drawn(5)
    soft = combined(Probabilities(), scores, log_weights)
    np.testing.assert_allclose(combined(Confidence(power=0), scores, log_weights), soft, atol=1e-6)
    surest = certainty(scores.log_softmax(2)).argmax(0)
    alone = scores.log_softmax(2)[surest, torch.arange(ROWS)]
    found = combined(Confidence(power=2000), scores, log_weights)
    np.testing.assert_allclose(found, alone, atol=1e-3)


def test_where_nobody_knows_anything_all_items_are_alike():
    found = combined(Confidence(), torch.zeros(2, 1, 4), torch.full((2, 1), 0.5).log())
    np.testing.assert_allclose(found, np.log(0.25), atol=1e-6)


# Configurations


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "vote", "top": 0},
        {"kind": "vote", "rest": 0},
        {"kind": "vote", "rest": 1},
        {"kind": "confidence", "power": -1},
        {"kind": "confidence", "by": "luck"},
        {"kind": "per-context", "folds": 1},
        {"kind": "per-context", "margin": -1},
        {"kind": "referendum"},
    ],
)
def test_what_makes_no_sense_is_refused(config):
    with pytest.raises(ValidationError):
        TypeAdapter(AnyCombiner).validate_python(config)
