"""Which contexts are chosen: against loops over users, and teachers of whom it is known where they are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from scipy.optimize import minimize
from scipy.special import log_softmax

from recdistill.data.sequences import Sequences
from recdistill.errors import DataError
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.selecting import (
    Active,
    All,
    AnySelection,
    Circumstances,
    Eligible,
    Hardest,
    Mix,
    Random,
)
from recdistill.teachers.selecting.contract import NOTHING
from recdistill.teachers.selecting.promise import effects, promised
from recdistill.teachers.selecting.quick import NEIGHBOURS, Quick, fold_of, without
from recdistill.training.options import RunOptions


@pytest.fixture
def eligible(tiny_dataset):
    return Eligible.of(tiny_dataset)


@pytest.fixture
def known(tiny_dataset):
    teacher = Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)
    return Circumstances(tiny_dataset, teacher, RunOptions())


def test_what_is_eligible_against_a_loop_over_users(tiny_dataset, eligible):
    seen: dict[tuple[int, ...], tuple[int, int]] = {}
    histories = tiny_dataset.train.histories
    for user in range(len(histories)):
        items = histories[user].tolist()
        for upto in range(1, len(items) + 1):
            answer = items[upto] if upto < len(items) else NOTHING
            seen.setdefault(tuple(items[:upto]), (answer, user))
    found = {
        tuple(eligible.contexts.histories[row].tolist()): (
            int(eligible.answers[row]),
            int(eligible.users[row]),
        )
        for row in range(len(eligible))
    }
    assert found == seen
    assert (eligible.contexts.keys == tiny_dataset.contexts().distinct().keys).all()


def test_all_is_all(eligible, known):
    assert All().choose(eligible, known).rows.tolist() == list(range(len(eligible)))


def test_lots_are_drawn_evenly_and_a_smaller_sample_is_part_of_a_larger(eligible, known):
    some, more = (
        set(Random(contexts=count).choose(eligible, known).rows.tolist()) for count in (50, 200)
    )
    assert len(some) == 50
    assert some < more
    assert (eligible.answers[sorted(more)] != NOTHING).all()
    asked = np.flatnonzero(eligible.answers != NOTHING)
    times = np.zeros(len(eligible))
    for seed in range(200):
        times[Random(contexts=100, seed=seed).choose(eligible, known).rows] += 1
    expected = 200 * 100 / len(asked)
    spread = np.sqrt(expected * (1 - 100 / len(asked)))
    assert abs(times[asked] - expected).max() < 5 * spread
    assert times[asked].var() == pytest.approx(spread**2, rel=0.25)


def test_lots_do_not_depend_on_the_order_of_contexts(eligible, known):
    backwards = eligible.take(np.arange(len(eligible))[::-1].copy())
    chosen = [
        set(one.contexts.keys[Random(contexts=60).choose(one, known).rows].tolist())
        for one in (eligible, backwards)
    ]
    assert chosen[0] == chosen[1]


def test_ends_of_histories_come_last(eligible, known):
    ends = (eligible.answers == NOTHING).sum()
    inner = len(eligible) - ends
    found = Random(contexts=int(inner) + 3).choose(eligible, known).rows
    assert (eligible.answers[found] == NOTHING).sum() == 3
    whole = Random(contexts=10 * len(eligible)).choose(eligible, known).rows
    assert whole.tolist() == list(range(len(eligible)))


def test_students_do_not_know_whom_they_are_asked_about(tiny_dataset):
    folds = fold_of(np.arange(len(tiny_dataset.users), dtype=np.int32))
    assert 0.2 < folds.mean() < 0.8
    for fold in (0, 1):
        part = without(tiny_dataset, fold).train
        for user in range(len(tiny_dataset.users)):
            had, has = tiny_dataset.train.histories[user], part.histories[user]
            assert has.tolist() == ([] if folds[user] == fold else had.tolist())
        assert len(part.times) == len(part.items)


def test_the_hardest_are_those_of_the_highest_loss(tiny_dataset, eligible, known):
    """By two students fitted here, without the users they are asked about, in double precision."""
    folds = fold_of(np.arange(len(tiny_dataset.users), dtype=np.int32))
    quick = Quick.fitted(tiny_dataset, NEIGHBOURS, RunOptions())
    losses = np.empty(len(eligible))
    for fold in (0, 1):
        lists = [
            [] if folds[user] == fold else tiny_dataset.train.histories[user].tolist()
            for user in range(len(folds))
        ]
        rows = Sequences.from_lists(lists)
        offsets = np.concatenate([[0], np.cumsum(rows.lengths)])
        nothing = np.zeros(len(rows.values), dtype=np.int64)
        train = replace(
            tiny_dataset.train, offsets=offsets, items=rows.values, times=nothing, ratings=None
        )
        student = ItemKNN.for_dataset(tiny_dataset).fit(replace(tiny_dataset, train=train))
        mine = np.flatnonzero(folds[eligible.users] == fold)
        scores = student.score(student.states(eligible.contexts.histories.take(mine)))
        log_p = log_softmax(scores.double().numpy() / quick.temperatures[fold], axis=1)
        losses[mine] = -log_p[np.arange(len(mine)), eligible.answers[mine]]
    losses[eligible.answers == NOTHING] = -np.inf
    found = Hardest(contexts=80).choose(eligible, known)
    wanted = np.sort(losses)[-80]
    assert (losses[found.rows] >= wanted - 1e-4).all()
    assert found.facts["loss"]["chosen"] > found.facts["loss"]["all"]
    unsure = Hardest(contexts=80, by="uncertainty").choose(eligible, known)
    assert set(unsure.rows) != set(found.rows)


def test_effects():
    teacher, student = np.array([1.0, 10, 11, 3, 50]), np.array([11.0, 10, 10, 40, 11])
    assert effects(teacher, student, 10).tolist() == [0, 1, 2, 0, 1]


def test_the_promise_is_the_minimum_of_its_loss():
    """Beside scipy's minimiser, which is given the loss alone."""
    random = np.random.default_rng(0)
    features, seen = random.normal(size=(80, 2)), random.integers(0, 3, 80)
    standard = (features - features.mean(0)) / features.std(0)
    inputs = np.column_stack([np.ones(80), standard.clip(-3, 3)])

    def loss(flat):
        slopes = flat.reshape(3, 3)
        own = log_softmax(inputs @ slopes.T, axis=1)[np.arange(80), seen]
        return 5.0 * np.square(slopes[:, 1:]).sum() - own.sum() - log_softmax(slopes[:, 0]).sum()

    best = minimize(loss, np.zeros(9), method="BFGS").x.reshape(3, 3)
    wanted = np.exp(log_softmax(inputs @ best.T, axis=1))
    np.testing.assert_allclose(promised(features, seen).of(features), wanted, atol=1e-4)


def test_what_was_never_seen_keeps_a_chance():
    features = np.random.default_rng(0).normal(size=(30, 2))
    likely = promised(features, np.ones(30, dtype=np.int64)).of(features)
    assert likely.mean(0)[[0, 2]].tolist() == pytest.approx([1 / 33, 1 / 33], abs=0.01)


class NoSettings(Settings):
    pass


class RightAfterLongHistories(Recommender):
    """Knows what comes next where a history is long; of short ones it says the least likely thing."""

    kind = "right-after-long-histories"
    Config = NoSettings
    LONG = 8

    def __init__(self, dataset):
        super().__init__(NoSettings(), dataset.vocabulary)
        self.dataset, self.network = dataset, torch.nn.Module()
        self.answers = {}
        eligible = Eligible.of(dataset)
        for row in range(len(eligible)):
            self.answers[tuple(eligible.contexts.histories[row])] = int(eligible.answers[row])
        for row in range(len(dataset.valid)):
            self.answers[tuple(dataset.valid.histories[row])] = int(dataset.valid.targets[row][0])

    def fit(self, dataset, training=None, run=None):
        return self

    def states(self, histories):
        states = torch.zeros(len(histories), len(self.vocabulary))
        for row in range(len(histories)):
            answer = self.answers[tuple(histories[row])]
            states[row, answer] = 5.0 if len(histories[row]) >= self.LONG else -5.0
        return states

    def item_table(self):
        return torch.eye(len(self.vocabulary))


def test_the_active_choice_goes_where_the_teacher_is_right_and_the_student_wrong(
    tiny_dataset, eligible
):
    teacher = RightAfterLongHistories(tiny_dataset)
    known = Circumstances(tiny_dataset, teacher, RunOptions())
    found = Active(contexts=100).choose(eligible, known)
    long = eligible.contexts.histories.lengths >= teacher.LONG
    inner = eligible.answers != NOTHING
    own = Quick.fitted(tiny_dataset, NEIGHBOURS, RunOptions()).asked(
        eligible.users, eligible.contexts.histories, np.maximum(eligible.answers, 0)
    )
    effective = inner & long & (own.rank > 10)
    by_chance = effective.sum() / inner.sum()
    assert effective[found.rows].mean() > 2 * by_chance
    assert found.facts["seen"].keys() == {"effective", "similar", "incorrect"}
    assert sum(found.facts["seen"].values()) == pytest.approx(1)
    assert found.facts["expected_of_chosen"]["effective"] > found.facts["expected"]["effective"]


def test_a_mix_shares_the_budget(tiny_dataset, eligible):
    known = Circumstances(tiny_dataset, RightAfterLongHistories(tiny_dataset), RunOptions())
    mix = Mix(effective=1, similar=5, incorrect=4)
    assert mix.counts(100) == [10, 50, 40]
    assert sum(mix.counts(7)) == 7
    found = Active(contexts=100, mix=mix).choose(eligible, known)
    assert len(np.unique(found.rows)) == 100
    long = eligible.contexts.histories.lengths[found.rows] >= 8
    assert 0.1 < long.mean() < 0.9
    alone = Active(contexts=10, mix=Mix()).choose(eligible, known)
    assert set(alone.rows.tolist()) < set(found.rows.tolist())


def test_without_validation_the_active_choice_is_refused(tiny_dataset, eligible, known):
    nobody = replace(tiny_dataset, valid=tiny_dataset.valid.take(slice(0, 0)))
    with pytest.raises(DataError, match="no validation cases"):
        Active(contexts=5).choose(eligible, replace(known, dataset=nobody))


def test_settings_are_checked():
    any_selection = TypeAdapter(AnySelection)
    assert any_selection.validate_python({"kind": "all"}) == All()
    for wrong in (
        {"kind": "random"},
        {"kind": "random", "contexts": 0},
        {"kind": "hardest", "contexts": 5, "student": {"model": {"kind": "sasrek"}}},
        {"kind": "active", "contexts": 5, "mix": {"effective": 0}},
        {"kind": "easiest", "contexts": 5},
    ):
        with pytest.raises(ValidationError):
            any_selection.validate_python(wrong)
