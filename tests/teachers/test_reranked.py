from __future__ import annotations

import numpy as np
import pytest
import torch
from judges import Scripted
from scipy.special import log_softmax, logsumexp

from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError, RecDistillError
from recdistill.models.popularity import Popularity
from recdistill.models.ranking import top_k
from recdistill.signals import HardLabel, TopK
from recdistill.teachers.base import weights_hash
from recdistill.teachers.blending import Blend
from recdistill.teachers.judging import Silent
from recdistill.teachers.members import state_types
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.reranked import Reranked, RerankedConfig
from recdistill.teachers.sparing import asked, judges, remarks, spared
from recdistill.teachers.speech import sayable, speak

BLEND = Blend(base=0.4, judge=0.7)


@pytest.fixture
def histories(tiny_dataset):
    return tiny_dataset.valid.histories


def reranked(base, judge=None, **settings) -> Reranked:
    return Reranked(
        base, judge or Scripted(), RerankedConfig(number=6, blend=BLEND).model_copy(update=settings)
    )


def by_hand(model: Reranked, history: np.ndarray) -> np.ndarray:
    """The same in double precision, a row at a time."""
    config = model.config
    z = (
        model.base.score(model.base.states(Sequences.from_lists([history.tolist()])))[0]
        .double()
        .numpy()
    )
    log_p = log_softmax(z / config.temperature)
    taken = set() if config.repeats else set(history.tolist())
    order = sorted(
        range(len(z)), key=lambda item: (item in taken, -z[item] if item not in taken else 0, item)
    )
    judged = {item: model.judge.word(history, item) for item in order[: config.number]}
    judged = {item: word for item, word in judged.items() if np.isfinite(word)}
    if not judged or not len(history):
        return log_p
    inside = list(judged)
    mass = logsumexp(log_p[inside])
    exponents = config.blend.base * log_p[inside] + config.blend.judge * np.array(
        list(judged.values())
    )
    log_p[inside] = mass + log_softmax(exponents)
    return log_p


@pytest.mark.parametrize("factorised", [True, False])
@pytest.mark.parametrize("settings", [{}, {"silence": True}, {"partial": True}])
def test_it_says_what_is_computed_by_hand(fixed, histories, factorised, settings):
    model = reranked(fixed(factorised=factorised), Scripted(**settings), temperature=1.7)
    found = model.score(model.states(histories)).numpy()
    for row in range(len(histories)):
        np.testing.assert_allclose(found[row], by_hand(model, histories[row]), atol=2e-5)


def test_no_mass_is_lost_or_won_and_only_candidates_move(fixed, histories):
    model = reranked(fixed())
    states = model.states(histories)
    scores, said = model.score(states).double(), model.said(states)
    before = model.base.score(model.base.states(histories)).log_softmax(1).double()
    torch.testing.assert_close(
        scores.exp().sum(1), torch.ones(len(scores)).double(), atol=1e-5, rtol=0
    )
    inside = [scores.gather(1, said.candidates), before.gather(1, said.candidates)]
    torch.testing.assert_close(inside[0].logsumexp(1), inside[1].logsumexp(1), atol=1e-5, rtol=0)
    assert (inside[0] - inside[1]).abs().max() > 0.5, "it has a say"
    outside = torch.ones_like(scores).bool().scatter_(1, said.candidates, False)
    assert torch.equal(scores[outside], before[outside])


@pytest.mark.parametrize("judge", [Silent(), Scripted(silence=True)])
def test_silence_leaves_the_base_exactly_as_it_is(fixed, histories, judge):
    model = reranked(fixed(), judge)
    silent = np.array(
        [
            isinstance(judge, Silent) or h[-1] % 3 == 0
            for h in map(histories.__getitem__, range(len(histories)))
        ]
    )
    rows = histories.take(np.flatnonzero(silent))
    assert len(rows)
    base = model.base.score(model.base.states(rows)).log_softmax(1)
    assert torch.equal(model.score(model.states(rows)), base)


def test_a_loud_judge_makes_no_infinities(fixed, histories):
    model = reranked(fixed(), blend=Blend(base=1.0, judge=1e30))
    scores = model.score(model.states(histories))
    assert scores.isfinite().all()
    torch.testing.assert_close(
        scores.double().exp().sum(1), torch.ones(len(scores)).double(), atol=1e-5, rtol=0
    )


def test_nobody_knows_a_newcomer_so_nobody_is_asked(fixed):
    model = reranked(fixed())
    nobody = Sequences.from_lists([[], [3]])
    assert torch.equal(
        model.score(model.states(nobody))[0],
        model.base.score(model.base.states(nobody))[0].log_softmax(0),
    )
    assert [history for history, _ in model.judge.heard] == [[3]]
    assert model.score(model.states(nobody.take(slice(0, 0)))).shape == (0, len(model.vocabulary))


def test_what_was_taken_is_no_candidate_unless_users_take_items_again(fixed, histories):
    for repeats in (False, True):
        model = reranked(fixed(), repeats=repeats)
        chosen = model.said(model.states(histories)).candidates
        again = [
            bool(set(chosen[row].tolist()) & set(histories[row].tolist()))
            for row in range(len(chosen))
        ]
        assert any(again) == repeats


def test_in_a_catalogue_of_a_few_all_are_candidates(fixed, histories):
    model = Reranked(fixed(), Scripted(), RerankedConfig(number=99, blend=BLEND))
    scores = model.score(model.states(histories))
    assert (
        model.said(model.states(histories))
        .candidates.sort(1)
        .values.equal(torch.arange(len(model.vocabulary)).expand(len(histories), -1))
    )
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(len(scores)), atol=1e-5, rtol=0)


def test_a_state_may_be_scored_often_but_is_paid_for_once(fixed, histories):
    model = reranked(fixed())
    states = model.states(histories)
    some = torch.tensor([3, 0, 7])
    assert torch.equal(model.score(states)[:, some], model.score(states, some))
    assert len(model.judge.heard) == len(histories)


def test_a_judge_that_counts_nothing_is_not_asked(fixed, histories):
    model = reranked(fixed(), blend=Blend(judge=0.0))
    model.score(model.states(histories))
    assert not model.judge.heard


def test_it_speaks_as_it_scores_and_has_no_vectors(fixed, histories):
    model = reranked(fixed())
    assert sayable(model) == {"top-k", "hard-label"}
    said = speak(model, histories, [TopK(k=5), HardLabel()])
    scores, items = top_k(model, histories, 5)
    np.testing.assert_array_equal(said["top-k"]["items"], items.numpy())
    np.testing.assert_allclose(said["top-k"]["logits"], scores.numpy(), atol=1e-5)
    assert len(model.judge.heard) == 2 * len(histories), "once for all kinds together"


def test_it_recommends_and_finds_neighbours(fixed, tiny_dataset):
    model = reranked(fixed())
    history = [tiny_dataset.vocabulary.ids.head(3).to_list()]
    assert model.recommend(histories=history, k=5).height == 5
    assert model.similar_items(history[0][:1], k=4).height == 4


@pytest.fixture
def saved(tiny_dataset, tmp_path):
    model = reranked(Popularity.for_dataset(tiny_dataset).fit(tiny_dataset))
    model.save(tmp_path / "model")
    return model, tmp_path / "model"


def test_it_is_saved_and_read_back_alone_and_as_a_member(saved, histories, tmp_path):
    model, folder = saved
    again = Reranked.load(folder)
    assert weights_hash(again) == weights_hash(model)
    assert again.get_config() == model.get_config()
    assert torch.equal(again.score(again.states(histories)), model.score(model.states(histories)))
    pair = Mixture([model, model.base], [1.0, 0.5])
    pair.save(tmp_path / "pair")
    other = Mixture.load(tmp_path / "pair")
    assert weights_hash(other) == weights_hash(pair)
    assert torch.equal(other.score(other.states(histories)), pair.score(pair.states(histories)))


def test_whoever_only_looks_at_it_does_not_ask(fixed):
    model = reranked(fixed())
    Mixture([model, model.base], [1.0, 1.0])
    assert state_types([model]) == [torch.float64]
    assert not model.judge.heard


def test_everything_that_decides_its_scores_is_part_of_what_it_learned(fixed):
    base = fixed()
    models = [
        reranked(base),
        reranked(base, Scripted(seed=1)),
        reranked(base, blend=Blend()),
        reranked(base, temperature=2.0),
        reranked(base, number=7),
        reranked(base, repeats=True),
        reranked(fixed(seed=4)),
    ]
    assert len({weights_hash(model) for model in models}) == len(models)
    assert weights_hash(reranked(base, sample=3)) == weights_hash(models[0])


def test_it_cannot_be_fitted_itself(fixed, tiny_dataset):
    with pytest.raises(RecDistillError, match="cannot be fitted"):
        reranked(fixed()).fit(tiny_dataset)


@pytest.mark.parametrize(
    "damage", ["reranked.json", "judge/judge.json", "judge/scripted.json", "base", "other"]
)
def test_a_missing_or_damaged_part_is_refused(saved, damage):
    _, folder = saved
    if damage == "base":
        (folder / "base" / "model.safetensors").write_bytes(b"nonsense")
    elif damage == "other":
        Scripted(seed=5).save(folder / "judge")
    else:
        (folder / damage).unlink()
    with pytest.raises(CheckpointError):
        Reranked.load(folder)


def test_of_many_cases_a_fixed_sample_is_asked_about(fixed, histories):
    model = reranked(fixed(), sample=10)
    light = spared(model, histories)
    chosen = asked(light, histories)
    assert 0 < chosen.sum() <= 10
    scores, base = (
        light.score(light.states(histories)),
        light.base.score(light.base.states(histories)).log_softmax(1),
    )
    assert torch.equal(scores[~chosen], base[~chosen])
    assert len(model.judge.heard) == chosen.sum()
    heard = model.score(model.states(histories))
    assert torch.equal(scores[chosen], heard[chosen])
    order = np.random.default_rng(0).permutation(len(histories))
    np.testing.assert_array_equal(asked(light, histories.take(order)), chosen[order])
    assert f"about {chosen.sum()} of the {len(histories)}" in remarks(light, histories)[0]
    assert ["are those of its base" in line for line in remarks(model, histories)] == [True]
    assert not remarks(model.base, histories)


def test_sparing_twice_asks_about_no_more(fixed, histories):
    model = reranked(fixed(), sample=10)
    once, part = spared(model, histories), histories.take(np.arange(0, len(histories), 2))
    twice = spared(once, part)
    assert not (asked(twice, histories) & ~asked(once, histories)).any()
    np.testing.assert_array_equal(asked(twice, part), asked(once, part))


def test_members_are_spared_too_and_a_plain_model_is_left_alone(fixed, histories):
    model = reranked(fixed(), sample=10)
    pair = Mixture([model, model.base], [1.0, 1.0])
    light = spared(pair, histories)
    light.states(histories)
    assert judges(pair) == [model]
    assert 0 < len(model.judge.heard) <= 10
    assert spared(model.base, histories) is model.base
    assert asked(model.base, histories).all()


def test_a_history_that_was_trimmed_is_asked_about_where_the_whole_one_is(fixed, tiny_dataset):
    model = spared(reranked(fixed(), sample=10), tiny_dataset.valid.histories)
    whole = tiny_dataset.valid.histories
    np.testing.assert_array_equal(asked(model, whole), asked(model, whole.snapped(4)))


def test_what_comes_after_a_context_is_out_of_reach(fixed, tiny_dataset):
    """Everything that happened after the cut-off is replaced: the judge is asked the same."""
    contexts = tiny_dataset.contexts().histories
    rows = np.arange(0, len(contexts), 37)
    for row in rows:
        one = contexts.take(slice(row, row + 1))
        later = contexts.values.copy()
        later[one.stops[0] :] = (later[one.stops[0] :] + 1) % tiny_dataset.num_items
        other = Sequences(later, one.starts, one.stops)
        models = [reranked(fixed()), reranked(fixed())]
        states = [model.states(given) for model, given in zip(models, (one, other), strict=True)]
        assert torch.equal(*states)
        assert models[0].judge.heard == models[1].judge.heard
