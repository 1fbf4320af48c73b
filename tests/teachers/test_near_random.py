"""Members that know nothing: found on validation, left out where nobody gave weights, and told."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.teachers import EnsembleTeacher, RecommenderTeacher
from recdistill.teachers.chance import against_chance
from recdistill.teachers.combining import PerContext, Probabilities
from recdistill.teachers.near_random import near_random, standing
from recdistill.teachers.questions import Questions
from recdistill.teachers.uniting import unite
from recdistill.training.options import RunOptions


@pytest.fixture(scope="module")
def dataset(make_dataset, tmp_path_factory):
    """Cases enough to tell."""
    return make_dataset(tmp_path_factory.mktemp("told"), users=150, items=40, events=6000)


@pytest.fixture
def knowing(dataset):
    return ItemKNN.for_dataset(dataset).fit(dataset)


@pytest.fixture
def guessing(dataset, fixed):
    """Somebody whose every answer is drawn by lot, and who is indeed not better than that here."""
    for seed in range(20):
        model = fixed(dataset, seed=seed, scale=3.0)
        if against_chance(standing(Questions.ask([model], dataset))).result == "near-random":
            return model
    raise AssertionError("of 20 who know nothing none is near-random")


def test_standings_are_those_of_a_loop(dataset, knowing):
    questions = Questions.ask([knowing], dataset)
    found = standing(questions)
    scores = knowing.score(knowing.states(questions.cases.histories)).numpy()
    for row in range(0, len(questions), 7):
        answer = int(questions.answers[row])
        hidden = set(questions.hidden[row].tolist()) - {answer}
        rivals = [item for item in range(40) if item not in hidden and item != answer]
        assert found.among[row] == len(rivals) + 1
        own = scores[row, answer]
        better = sum(scores[row, i] > own or (scores[row, i] == own and i < answer) for i in rivals)
        if answer not in questions.hidden[row]:
            assert found.better[row] == better


def test_few_who_know_nothing_are_taken_for_better(dataset, fixed):
    results = [
        against_chance(standing(Questions.ask([fixed(dataset, seed=seed)], dataset))).result
        for seed in range(20)
    ]
    assert sum("chance" in result for result in results) <= 3


@pytest.mark.parametrize("combine", [Probabilities(), PerContext()])
def test_a_guesser_is_left_out_of_ensembles(dataset, knowing, guessing, combine):
    questions = Questions.ask([knowing, guessing, knowing], dataset)
    assert near_random(questions) == [1]
    united = unite(questions, dataset, [1.0, 1.0, 1.0], None, combine)
    assert united.guessing == [1]
    assert united.weights[1] == 0
    assert sum(united.weights) == pytest.approx(1)
    assert united.recommender.members == [
        model for model, weight in zip((knowing, guessing, knowing), united.weights, strict=True) if weight > 0
    ]  # fmt: skip


def test_given_weights_stand(dataset, knowing, guessing):
    questions = Questions.ask([knowing, guessing], dataset)
    united = unite(questions, dataset, [1.0, 1.0], [0.5, 0.5], Probabilities())
    assert united.weights == [0.5, 0.5]
    assert united.guessing == []


def test_somebody_has_to_speak(dataset, guessing):
    assert near_random(Questions.ask([guessing, guessing], dataset)) == []


def test_the_ensemble_says_whom_it_left_out(dataset, knowing, guessing):
    popular = Popularity.for_dataset(dataset).fit(dataset)
    members = [RecommenderTeacher.around(model) for model in (knowing, popular)]
    members[1]._recommender = guessing
    teacher = EnsembleTeacher.of(
        members=[{"kind": "recommender", "model": {"kind": "item-knn"}},
                 {"kind": "recommender", "model": {"kind": "popularity"}}],
        combine={"kind": "probabilities"},
    )  # fmt: skip
    teacher.around(members, dataset, RunOptions())
    assert teacher.notes["remarks"] == ["Near-random on validation, and therefore left out: popularity."]  # fmt: skip
    assert [one["weight"] for one in teacher.notes["members"]] == [1.0, 0.0]
    scores = teacher.recommender.score(teacher.recommender.states(dataset.valid.histories))
    assert np.isfinite(scores.numpy()).all()
