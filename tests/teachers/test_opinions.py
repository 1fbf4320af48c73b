from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError, RecDistillError
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.models.ranking import top_k
from recdistill.signals import TopK
from recdistill.teachers.base import weights_hash
from recdistill.teachers.combining import Confidence, Gate, PerContext, Probabilities, Vote
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions, OpinionsConfig
from recdistill.teachers.speech import sayable, speak


@pytest.fixture
def histories(tiny_dataset):
    return tiny_dataset.valid.histories


def pool(members, weights, combine=None, temperatures=None, gate=None, popularity=None) -> Opinions:
    config = OpinionsConfig(
        combine=combine or Probabilities(), temperatures=temperatures or [1.0] * len(members)
    )
    counts = torch.empty(0).double() if popularity is None else popularity
    return Opinions(list(members), config, gate or Gate.constant(weights), counts)


def leaning(members: int = 2, features: int = 4, seed: int = 0) -> Gate:
    """A gate that looks at everything."""
    draw = torch.Generator().manual_seed(seed)
    return Gate(
        torch.full((members,), 1 / members),
        torch.rand(features, generator=draw),
        1 + torch.rand(features, generator=draw),
        torch.randn(members, features + 1, generator=draw),
    )


def mixed(members, weights, temperatures, histories) -> np.ndarray:
    """Soft voting in double precision."""
    total = []
    for member, weight, heat in zip(members, weights, temperatures, strict=True):
        z = member.score(member.states(histories)).double().numpy() / heat
        total.append(np.log(weight) + z - logsumexp(z, axis=1, keepdims=True))
    return logsumexp(np.stack(total), axis=0)


def test_scores_are_the_logarithms_of_the_mixed_probabilities(fixed, tiny_dataset, histories):
    knn = ItemKNN.for_dataset(tiny_dataset).fit(tiny_dataset)
    members = [fixed(seed=1), knn, fixed(seed=2, width=3, factorised=False)]
    weights, temperatures = [0.5, 0.2, 0.3], [2.0, 0.5, 1.0]
    model = pool(members, weights, temperatures=temperatures)
    scores = model.score(model.states(histories))
    expected = mixed(members, weights, temperatures, histories)
    np.testing.assert_allclose(scores.numpy(), expected, atol=2e-4)
    np.testing.assert_allclose(scores.double().exp().sum(1), 1, atol=1e-5)
    some = torch.tensor([3, 0, 7])
    torch.testing.assert_close(model.score(model.states(histories), some), scores[:, some])


def test_it_is_no_product_so_it_says_no_vectors(fixed, histories):
    model = pool([fixed(), fixed(seed=1)], [0.5, 0.5])
    assert not model.factorised
    assert sayable(model) == {"top-k", "hard-label"}
    assert model.item_table().shape == (len(model.vocabulary), 0)


@pytest.mark.parametrize("combine", [Probabilities(), Vote(top=3), Confidence()])
def test_what_it_says_is_what_it_scores(fixed, histories, combine):
    model = pool([fixed(seed=1), fixed(seed=2)], [0.7, 0.3], combine)
    said = speak(model, histories, [TopK(k=5)])["top-k"]
    scores, items = top_k(model, histories, 5)
    np.testing.assert_array_equal(said["items"], items.numpy())
    np.testing.assert_allclose(said["logits"], scores.numpy(), atol=1e-5)
    assert np.isfinite(said["rest"]).all()


def test_a_gate_weighs_each_context_by_what_it_sees(fixed, tiny_dataset, histories):
    members, gate = [fixed(seed=1), fixed(seed=2)], leaning()
    counts = torch.arange(tiny_dataset.num_items).double()
    model = pool(members, None, PerContext(recent=2), gate=gate, popularity=counts)
    scores = model.score(model.states(histories)).numpy()
    for row in range(0, len(histories), 7):
        one, alone = histories.take(slice(row, row + 1)), histories[row]
        z = np.stack([member.score(member.states(one))[0].double() for member in members])
        log_p = z - logsumexp(z, axis=1, keepdims=True)
        certain = 1 + (np.exp(log_p) * log_p).sum(1) / np.log(z.shape[1])
        latest = np.log1p(counts.numpy()[alone[-2:]]).mean()
        x = np.array([np.log1p(len(alone)), latest, *certain])
        x = np.clip((x - gate.centre.numpy()) / gate.spread.numpy(), -3, 3)
        logits = np.log(0.5) + gate.slopes.numpy() @ np.array([1, *x])
        expected = logsumexp(logits[:, None] - logsumexp(logits) + log_p, axis=0)
        np.testing.assert_allclose(scores[row], expected, atol=1e-4)


def test_nobody_asks_and_nobody_is_answered(fixed, histories):
    model = pool([fixed(), fixed(seed=1)], [0.5, 0.5])
    nobody = model.states(histories.take(slice(0, 0)))
    assert model.score(nobody).shape == (0, len(model.vocabulary))
    assert model.score(nobody, torch.tensor([1, 2])).shape == (0, 2)


def test_an_empty_history_is_answered_too(fixed, tiny_dataset):
    counts = torch.ones(tiny_dataset.num_items).double()
    model = pool([fixed(), fixed(seed=1)], None, PerContext(), gate=leaning(), popularity=counts)
    assert model.score(model.states(Sequences.from_lists([[]]))).isfinite().all()


def test_it_has_the_verbs_of_every_recommender(fixed, tiny_dataset):
    members = [fixed(seed=1), fixed(seed=2)]
    model = pool(members, [0.25, 0.75])
    history = [tiny_dataset.vocabulary.ids.head(3).to_list()]
    shown = model.recommend(histories=history, k=5)
    assert shown["score"].is_sorted(descending=True)
    assert not set(history[0]) & set(shown["item_id"])
    assert model.window is None
    items = torch.tensor([2, 5])
    expected = 0.25 * members[0].item_similarity(items) + 0.75 * members[1].item_similarity(items)
    torch.testing.assert_close(model.item_similarity(items), expected)
    assert model.similar_items(history[0][:1], k=4).height == 4


@pytest.fixture
def popular(tiny_dataset):
    return [
        Popularity.for_dataset(tiny_dataset, **settings).fit(tiny_dataset)
        for settings in ({}, {"half_life_days": 1.0})
    ]


@pytest.mark.parametrize("gated", [False, True])
def test_it_is_saved_and_loaded_with_its_members_and_its_gate(
    popular, tiny_dataset, histories, tmp_path, gated
):
    counts = torch.rand(tiny_dataset.num_items).double() if gated else None
    gate = leaning() if gated else Gate.constant([0.25, 0.75])
    model = pool(popular, None, PerContext(recent=3), [0.5, 2.0], gate, counts)
    model.save(tmp_path / "m")
    again = Opinions.load(tmp_path / "m")
    assert weights_hash(again) == weights_hash(model)
    assert again.config == model.config
    torch.testing.assert_close(
        again.score(again.states(histories)), model.score(model.states(histories))
    )


def test_pools_of_pools_and_of_mixtures_are_read_back(popular, histories, tmp_path):
    inner = Mixture(popular, [1.0, 0.5])
    model = Mixture([pool([inner, popular[1]], [0.5, 0.5]), popular[0]], [1.0, 0.1])
    model.save(tmp_path / "m")
    again = Mixture.load(tmp_path / "m")
    assert weights_hash(again) == weights_hash(model)
    torch.testing.assert_close(
        again.score(again.states(histories)), model.score(model.states(histories))
    )


def test_everything_that_decides_its_scores_is_part_of_what_it_learned(popular):
    hashes = [
        weights_hash(pool(popular, weights, combine, temperatures))
        for weights, combine, temperatures in (
            ([0.5, 0.5], Probabilities(), [1.0, 1.0]),
            ([0.5, 0.5], Vote(), [1.0, 1.0]),
            ([0.5, 0.5], Vote(top=9), [1.0, 1.0]),
            ([0.6, 0.4], Probabilities(), [1.0, 1.0]),
            ([0.5, 0.5], Probabilities(), [1.0, 1.1]),
        )
    ]
    assert len(set(hashes)) == 5


def test_it_cannot_be_fitted_itself(fixed, tiny_dataset):
    with pytest.raises(RecDistillError, match="cannot be fitted") as caught:
        pool([fixed()], [1.0]).fit(tiny_dataset)
    assert "EnsembleTeacher" in caught.value.hint


@pytest.mark.parametrize("damage", ["missing", "record", "no gate", "gate"])
def test_a_missing_or_damaged_folder_is_refused(popular, tmp_path, damage):
    if damage != "missing":
        pool(popular, [0.5, 0.5]).save(tmp_path)
    if damage == "record":
        (tmp_path / "opinions.json").write_text('{"temperatures": []}')
    if damage == "no gate":
        (tmp_path / "gate.safetensors").unlink()
    if damage == "gate":
        (tmp_path / "gate.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Opinions.load(tmp_path)
