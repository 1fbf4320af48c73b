from __future__ import annotations

import pytest
import torch

from recdistill.errors import CheckpointError, RecDistillError
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.teachers.base import weights_hash
from recdistill.teachers.mixture import Mixture


@pytest.fixture
def histories(tiny_dataset):
    return tiny_dataset.valid.histories


def total(members, scales, histories):
    """The weighted sum, written out."""
    return sum(
        scale * member.score(member.states(histories))
        for member, scale in zip(members, scales, strict=True)
    )


@pytest.mark.parametrize("factorised", [True, False])
def test_scores_are_the_weighted_sum_of_the_members(fixed, histories, factorised):
    members = [fixed(seed=1), fixed(seed=2, width=3, factorised=factorised)]
    mixture = Mixture(members, [0.7, 2.0])
    expected = total(members, [0.7, 2.0], histories)
    states = mixture.states(histories)
    torch.testing.assert_close(mixture.score(states), expected, atol=1e-4, rtol=1e-5)
    some = torch.tensor([3, 0, 7])
    torch.testing.assert_close(mixture.score(states, some), expected[:, some], atol=1e-4, rtol=1e-5)
    assert mixture.factorised is factorised


def test_a_factorised_mixture_is_a_product_of_its_states_and_its_table(fixed, histories):
    mixture = Mixture([fixed(seed=1), fixed(seed=2, width=3)], [0.7, 2.0])
    product = mixture.states(histories) @ mixture.item_table().T
    torch.testing.assert_close(product, mixture.score(mixture.states(histories)))
    assert mixture.item_table().shape[1] == 9


def test_members_whose_states_are_no_vectors_take_part_too(fixed, tiny_dataset, histories):
    """Item-kNN's states are ids, as many as the longest history of the call has."""
    members = [ItemKNN.for_dataset(tiny_dataset).fit(tiny_dataset), fixed(), fixed(seed=1)]
    mixture = Mixture([*members, members[0]], [0.5, 2.0, 0.1, 1.0])
    expected = total([*members, members[0]], [0.5, 2.0, 0.1, 1.0], histories)
    scores = mixture.score(mixture.states(histories))
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-5)
    nobody = mixture.states(histories.take(slice(0, 0)))
    assert mixture.score(nobody).shape == (0, tiny_dataset.num_items)
    assert mixture.item_table().shape[1] == 12


def test_it_has_the_verbs_of_every_recommender(fixed, tiny_dataset):
    mixture = Mixture([fixed(seed=1), fixed(seed=2)], [1.0, 1.0])
    history = [tiny_dataset.vocabulary.ids.head(3).to_list()]
    shown = mixture.recommend(histories=history, k=5)
    assert shown.columns == ["user_id", "item_id", "score", "rank"]
    assert not set(history[0]) & set(shown["item_id"])
    assert mixture.similar_items(history[0][:1], k=4).height == 4
    assert mixture.get_config() == {"kind": "mixture", "scales": [1.0, 1.0]}


def test_it_is_saved_and_loaded_with_its_members(tiny_dataset, histories, tmp_path):
    members = [
        Popularity.for_dataset(tiny_dataset, **settings).fit(tiny_dataset)
        for settings in ({}, {"half_life_days": 1.0})
    ]
    mixture = Mixture(members, [0.25, 4.0])
    mixture.save(tmp_path / "m")
    again = Mixture.load(tmp_path / "m")
    assert weights_hash(again) == weights_hash(mixture)
    torch.testing.assert_close(again.states(histories), mixture.states(histories))


def test_scales_are_part_of_what_it_learned(fixed):
    members = [fixed(seed=1), fixed(seed=2)]
    assert weights_hash(Mixture(members, [1.0, 1.0])) != weights_hash(Mixture(members, [1.0, 1.1]))


def test_it_cannot_be_fitted_itself(fixed, tiny_dataset):
    with pytest.raises(RecDistillError, match="cannot be fitted") as caught:
        Mixture([fixed()], [1.0]).fit(tiny_dataset)
    assert "EnsembleTeacher" in caught.value.hint


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_missing_or_damaged_record_is_refused(fixed, tmp_path, damage):
    if damage == "broken":
        (tmp_path / "mixture.json").write_text('{"scales": []}')
    with pytest.raises(CheckpointError, match="cannot be read"):
        Mixture.load(tmp_path)
