"""Whether a gate is kept: worlds in which one helps, and worlds in which none can."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
import pytest
import torch
from torch import nn

from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.combining import PerContext, Probabilities
from recdistill.teachers.questions import Questions
from recdistill.teachers.routing import gather, popularity, route
from recdistill.teachers.uniting import unite

ITEMS = 40
SHORT = 8


class KnowerConfig(Settings):
    pass


class Knower(Recommender):
    """Knows what follows an item after some histories, and is just as sure, and wrong, after others.

    What follows item i is 7 i + 3; the wrong answer is the item before or after, so that ties favour nobody.
    """

    kind: ClassVar[str] = "knower"
    Config: ClassVar[type[Settings]] = KnowerConfig

    def __init__(self, dataset, knows):
        super().__init__(KnowerConfig(), dataset.vocabulary)
        self.dataset, self._knows = dataset, knows
        self.network = nn.Module()

    def fit(self, dataset, training=None, run=None) -> Self:
        return self

    def states(self, histories):
        answers = [self._answer(histories[row]) for row in range(len(histories))]
        return nn.functional.one_hot(torch.tensor(answers, dtype=torch.long), ITEMS).float() * 4

    def _answer(self, history) -> int:
        if not len(history):
            return 0
        last = int(history[-1])
        wrong = 0 if self._knows(history) else 1 - 2 * (last // 2 % 2)
        return (7 * last + 3 + wrong) % ITEMS

    def item_table(self):
        return torch.eye(ITEMS)


def luck(history) -> int:
    """Something about a history that no gate can see: 0 to 9."""
    return int(history[-1]) * 7919 % 97 % 10


def asked(dataset, count: int, seed: int, users: int = 200):
    """The dataset with `count` validation cases; what follows is 7 i + 3 in four of five."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(ITEMS, size=rng.integers(1, 2 * SHORT + 1)).tolist() for _ in range(count)]
    sure = rng.random(count) < 0.8
    targets = [
        [(7 * row[-1] + 3) % ITEMS if known else int(rng.integers(ITEMS))]
        for row, known in zip(rows, sure, strict=True)
    ]
    who = rng.integers(users, size=count).astype(np.int32)
    cases = Cases(who, Sequences.from_lists(rows), Sequences.from_lists(targets))
    return replace(dataset, valid=cases)


WORLDS = {
    "each knows its lengths": (lambda h: len(h) <= SHORT, lambda h: len(h) > SHORT),
    "each knows at random": (lambda h: luck(h) < 6, lambda h: luck(h) >= 6),
}


def members(dataset, world):
    return [Knower(dataset, knows) for knows in WORLDS[world]]


def quality(model, dataset) -> float:
    """The share of right best items."""
    histories = dataset.valid.histories
    found = model.score(model.states(histories)).argmax(1).numpy()
    return float((found == dataset.valid.targets.values[dataset.valid.targets.starts]).mean())


def together(dataset, world, combine, given=None):
    known = members(dataset, world)
    questions = Questions.ask(known, dataset)
    return unite(questions, dataset, [1.0] * len(known), given, combine)


@pytest.fixture
def held_out(tiny_dataset):
    return asked(tiny_dataset, 2000, seed=99)


def never() -> PerContext:
    """Asks for more than any gate can gain."""
    return PerContext(margin=1e9)


def test_where_members_know_different_lengths_the_gate_is_much_better(tiny_dataset, held_out):
    dataset = asked(tiny_dataset, 600, seed=1)
    routed = together(dataset, "each knows its lengths", PerContext())
    plain = together(dataset, "each knows its lengths", never())
    assert routed.notes["gate"]["kept"]
    assert routed.notes["gate"]["gain"] > 5 * routed.notes["gate"]["error"]
    assert not plain.notes["gate"]["kept"]
    assert quality(plain.recommender, held_out) < 0.5
    assert quality(routed.recommender, held_out) > 0.75


@pytest.mark.parametrize("seed", range(8))
def test_where_no_gate_can_help_it_is_never_worse_than_by_noise(tiny_dataset, held_out, seed):
    dataset = asked(tiny_dataset, 300, seed)
    world = "each knows at random"
    routed, plain = (together(dataset, world, one).recommender for one in (PerContext(), never()))
    noise = 2 * np.sqrt(0.25 / len(held_out.valid))
    assert quality(routed, held_out) >= quality(plain, held_out) - noise


def test_where_no_gate_can_help_it_is_rarely_kept(tiny_dataset):
    kept = [
        together(asked(tiny_dataset, 300, seed), "each knows at random", PerContext()).notes["gate"]
        for seed in range(8)
    ]
    assert sum(one["kept"] for one in kept) <= 2


@pytest.mark.parametrize("count", [0, 5, 9])
def test_with_few_users_there_is_no_gate(tiny_dataset, count):
    dataset = asked(tiny_dataset, count, seed=1, users=9)
    united = together(dataset, "each knows its lengths", PerContext())
    assert united.notes["gate"] == {
        "kept": False,
        "cases": count,
        "prior": None,
        "gain": 0.0,
        "error": 0.0,
    }
    assert "too few users" in united.notes["remarks"][0]
    assert not united.recommender.gate.looks


def test_without_a_gate_it_is_soft_voting_with_the_weights_for_all(tiny_dataset):
    dataset = asked(tiny_dataset, 300, seed=1)
    united = together(dataset, "each knows at random", never())
    soft = together(dataset, "each knows at random", Probabilities())
    assert united.weights == soft.weights
    histories = dataset.valid.histories
    one, other = (
        each.recommender.score(each.recommender.states(histories)) for each in (united, soft)
    )
    torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert "not kept" in united.notes["remarks"][0]


def test_a_member_that_counts_nothing_for_all_may_count_in_some_contexts(tiny_dataset, held_out):
    """The second knows one length in eight: for all contexts together, the first alone is best."""
    known = [
        Knower(tiny_dataset, lambda h: len(h) <= 14),
        Knower(tiny_dataset, lambda h: len(h) > 14),
    ]
    dataset = asked(tiny_dataset, 1500, seed=1)
    questions = Questions.ask(known, dataset)
    gate, finding = route(questions, popularity(dataset), [1.0, 1.0], [1.0, 0.0], PerContext())
    assert finding.kept
    assert gate is not None
    assert gate.base[1] == pytest.approx(0.01, rel=0.02)


def test_a_member_whose_given_weight_is_zero_is_left_out(tiny_dataset):
    dataset = asked(tiny_dataset, 300, seed=1)
    united = together(dataset, "each knows its lengths", PerContext(), given=[0.0, 2.0])
    assert united.weights == [0, 1]
    assert len(united.recommender.members) == 1


def test_one_case_of_evidence_by_hand(tiny_dataset):
    """A one-hot score of 4 among 40 items: the best has e^4 / (e^4 + 39)."""
    dataset = asked(tiny_dataset, 50, seed=1)
    known = members(dataset, "each knows its lengths")
    questions = Questions.ask(known, dataset)
    counts = popularity(dataset)
    found = gather(questions, counts, [1.0, 2.0], PerContext(recent=1))
    row, history = 0, dataset.valid.histories[0]
    answer = int(dataset.valid.targets[0][0])
    for member, heat in enumerate([1.0, 2.0]):
        best = int(known[member].states(dataset.valid.histories.take(slice(0, 1))).argmax())
        mass = np.exp(4 / heat) + ITEMS - 1
        expected = (4 / heat if best == answer else 0) - np.log(mass)
        assert found.answers[member, row].item() == pytest.approx(expected, abs=1e-5)
        p = np.array([np.exp(4 / heat), *[1.0] * (ITEMS - 1)]) / mass
        sure = 1 + (p * np.log(p)).sum() / np.log(ITEMS)
        assert found.features[row, 2 + member].item() == pytest.approx(sure, abs=1e-5)
    assert found.features[row, 0].item() == pytest.approx(np.log1p(len(history)))
    assert found.features[row, 1].item() == pytest.approx(np.log1p(counts[history[-1]]))
    assert found.users.tolist() == dataset.valid.users.tolist()


def test_the_choice_is_the_same_every_time(tiny_dataset):
    dataset = asked(tiny_dataset, 300, seed=1)
    one, other = (together(dataset, "each knows its lengths", PerContext()) for _ in range(2))
    torch.testing.assert_close(
        one.recommender.gate.slopes, other.recommender.gate.slopes, atol=0, rtol=0
    )
    assert one.notes == other.notes
