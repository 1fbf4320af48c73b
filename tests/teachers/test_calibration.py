from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.models.ranking import ndcg as ndcg_of_ranks
from recdistill.models.ranking import target_ranks
from recdistill.teachers import calibration
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.questions import Questions


@pytest.fixture
def asked(fixed, tiny_dataset):
    def ask(*members, at_most=4096):
        return Questions.ask(list(members), tiny_dataset, at_most)

    return ask


def scores_of(model, cases: Cases) -> np.ndarray:
    return model.score(model.states(cases.histories)).double().numpy()


def with_answers_of(model, dataset, temperature: float):
    """The same dataset, its validation answers drawn from a model's probabilities."""
    cases = dataset.valid
    rng = np.random.default_rng(0)
    p = np.exp(log_softmax(scores_of(model, cases) / temperature, axis=1))
    drawn = [rng.choice(len(row), p=row / row.sum()) for row in p]
    targets = Sequences.from_lists([[item] for item in drawn])
    return replace(dataset, valid=Cases(cases.users, cases.histories, targets))


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_temperature_is_the_minimum_that_scipy_finds(fixed, asked, tiny_dataset, scale):
    model = fixed(scale=scale)
    found = calibration.temperature(asked(model))
    scores, cases = scores_of(model, tiny_dataset.valid), tiny_dataset.valid
    answers = cases.targets.values[cases.targets.starts]

    def surprise(log_temperature):
        log_p = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -log_p[np.arange(len(answers)), answers].sum()

    best = minimize_scalar(surprise, bounds=(np.log(1e-2), np.log(1e3)), method="bounded")
    assert surprise(np.log(found)) <= best.fun + 1e-3 * abs(best.fun)


def test_a_calibrated_member_keeps_its_temperature(fixed, tiny_dataset):
    model = fixed(scale=0.3)
    dataset = with_answers_of(model, tiny_dataset, 1.0)
    assert calibration.temperature(Questions.ask([model], dataset)) == pytest.approx(1, rel=0.25)


def test_scaling_all_scores_scales_the_temperature(fixed, tiny_dataset):
    quiet, loud = fixed(scale=0.5), fixed(scale=0.5)
    loud.network.get_buffer("outward").mul_(8)
    dataset = with_answers_of(quiet, tiny_dataset, 1.0)
    cool, hot = (calibration.temperature(Questions.ask([m], dataset)) for m in (quiet, loud))
    assert hot / cool == pytest.approx(8, rel=1e-2)


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_ndcg_is_that_of_the_mixture_ranked_by_the_models_room(
    fixed, asked, tiny_dataset, block_bytes
):
    members, temperatures = [fixed(seed=1), fixed(seed=2, width=4)], [2.0, 0.5]
    trials = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]])
    questions = replace(asked(*members), block_bytes=block_bytes)
    found = calibration.ndcg(questions, trials, temperatures)
    cases = tiny_dataset.valid
    for shares, value in zip(trials, found, strict=True):
        mixture = Mixture(members, (shares / temperatures).tolist())
        hidden = (
            None
            if len(questions.hidden.values[questions.hidden.places()]) == 0
            else cases.histories
        )
        ranks = target_ranks(mixture, cases.histories, cases.targets, hidden)
        assert value == pytest.approx(ndcg_of_ranks(ranks, cases.targets).mean(), abs=1e-9)


def test_items_of_the_history_do_not_compete_where_nobody_repeats(fixed, tiny_dataset):
    """The tiny log repeats; a log of distinct items does not."""
    assert len(Questions.ask([fixed()], tiny_dataset).hidden.tail(1).places()) == 0
    distinct = Sequences.from_lists([[0, 1, 2], [3, 4]])
    train = replace(
        tiny_dataset.train,
        offsets=np.array([0, 3, 5]),
        items=distinct.values,
        times=np.arange(5),
        ratings=None,
    )
    questions = Questions.ask([fixed()], replace(tiny_dataset, train=train))
    assert len(questions.hidden.places()) == len(tiny_dataset.valid.histories.places())


def test_the_wise_member_gets_the_weight(fixed, tiny_dataset):
    wise, noisy = fixed(scale=1.0, seed=1), fixed(scale=1.0, seed=2)
    dataset = with_answers_of(wise, tiny_dataset, 1.0)
    chosen = calibration.weights(Questions.ask([noisy, wise], dataset), [1.0, 1.0])
    assert chosen[1] > 0.7
    assert sum(chosen) == pytest.approx(1)


def test_no_single_member_and_not_the_plain_mean_beats_the_chosen_weights(fixed, asked):
    questions = asked(fixed(seed=1), fixed(seed=2), fixed(seed=3, width=3))
    temperatures = [1.0, 2.0, 0.7]
    chosen = np.array([calibration.weights(questions, temperatures)])
    others = np.vstack([np.eye(3), np.full(3, 1 / 3)])
    found = calibration.ndcg(questions, chosen, temperatures)
    assert found[0] >= calibration.ndcg(questions, others, temperatures).max() - 1e-12
    assert calibration.weights(questions, temperatures) == chosen[0].tolist()


def test_without_questions_or_company_there_is_nothing_to_choose(fixed, tiny_dataset):
    nothing = replace(tiny_dataset, valid=tiny_dataset.valid.take(slice(0, 0)))
    questions = Questions.ask([fixed(), fixed(seed=1)], nothing)
    assert calibration.weights(questions, [1.0, 1.0]) == [0.5, 0.5]
    assert calibration.temperature(questions.of(0)) == 1.0
    assert calibration.weights(Questions.ask([fixed()], tiny_dataset), [1.0]) == [1.0]


def test_of_many_cases_a_fixed_sample_is_asked(asked, fixed):
    one, other = asked(fixed(), at_most=20), asked(fixed(), at_most=20)
    assert len(one) == 20
    torch.testing.assert_close(one.answers, other.answers)


def test_a_share_is_moved_even_from_a_member_that_has_everything():
    from recdistill.teachers.calibration import _line

    trials = _line(np.array([1.0, 0.0, 0.0]), 0)
    np.testing.assert_allclose(trials[0], [0, 0.5, 0.5])
    np.testing.assert_allclose(trials.sum(1), 1)
