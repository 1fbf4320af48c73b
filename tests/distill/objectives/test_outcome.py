"""The `outcome` objective: values by hand, gradients, and where it is defined."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from live import ITEMS, batch_of, model
from pydantic import TypeAdapter, ValidationError

from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import AnyObjective, NextItem, Outcome
from recdistill.distill.output import Output
from recdistill.distill.phases import Terms
from recdistill.distill.places import Places
from recdistill.errors import ConfigError
from recdistill.models.outcomes import heads_of
from recdistill.models.sasrec import SASRec
from recdistill.training.step import Moment

BOTH = [{"kind": "rating"}, {"kind": "like", "at_least": 3.0}]
START = Moment(0, 10, 0, {})


def headed(seed=0, outcomes=BOTH, **settings):
    """A model in float64 all of whose weights say something, those of its heads too."""
    return model(seed, outcomes=outcomes, **settings)


def objective(**settings) -> Outcome:
    return TypeAdapter(AnyObjective).validate_python({"kind": "outcome", **settings})


def ratings_of(batch, seed=0):
    """What each position's next item was given; unknown where the item is, and at the first position."""
    generator = torch.Generator().manual_seed(seed)
    given = torch.randint(1, 6, batch.targets.shape, generator=generator).float()
    return given.masked_fill((batch.targets < 0) | (torch.arange(len(batch)) == 0), torch.nan)


def places_of(batch, ratings=None) -> Places:
    ratings = ratings_of(batch) if ratings is None else ratings
    return Places(batch.targets.clamp_min(0), torch.ones(ITEMS), torch.arange(len(batch)), ratings)


def told(one: SASRec, batch, head: str, items):
    """The head's answers, item by item, from its formula."""
    output, parts = Output.of(one, batch), heads_of(one.network)[head]
    found = torch.empty(items.shape, dtype=torch.float64)
    for position, row in enumerate(items.tolist()):
        for column, item in enumerate(row):
            h, v = output.states[position], output.table[item]
            joined = (parts.pair * h * v).sum() + parts.state @ h + parts.item @ v
            found[position, column] = parts.base + parts.bias + joined
    return found.detach()


def bce(chance: float, raw: float) -> float:
    p = 1 / (1 + math.exp(-raw))
    return -chance * math.log(p) - (1 - chance) * math.log(1 - p)


@pytest.mark.parametrize("head", ["rating", "like"])
def test_what_was_observed_by_hand(head):
    student, batch = headed(), batch_of()
    places = places_of(batch)
    term = objective(head=head)
    losses, counts = term(Output.of(student, batch), None, places, term.knobs(0.0, {}))
    answers = told(student, batch, head, places.targets[:, None])[:, 0].tolist()
    for place, (answer, rating) in enumerate(zip(answers, places.ratings.tolist(), strict=True)):
        known = not math.isnan(rating)
        assert counts[place] == known
        if known and head == "rating":
            assert losses[place].item() == pytest.approx((answer - rating) ** 2, rel=1e-9)
        elif known:
            assert losses[place].item() == pytest.approx(bce(rating >= 3.0, answer), rel=1e-9)
    assert losses.isfinite().all()
    assert 0 < counts.sum() < len(batch)


@pytest.mark.parametrize(("head", "heat"), [("rating", 1.0), ("like", 1.0), ("like", 2.5)])
@pytest.mark.parametrize("draws", [0, 3])
def test_what_another_foretells_by_hand(head, heat, draws):
    student, teacher, batch = headed(), headed(1, width=4), batch_of()
    places = places_of(batch)
    term = objective(head=head, of="teacher", draws=draws, temperature=heat)
    sides = Output.of(student, batch), Output.of(teacher, batch)
    torch.manual_seed(3)
    losses, counts = term(*sides, places, term.knobs(0.0, {}))
    torch.manual_seed(3)
    drawn = torch.randint(ITEMS, (len(batch), draws))
    items = torch.cat([places.targets[:, None], drawn], dim=1)
    mine, theirs = (told(one, batch, head, items).tolist() for one in (student, teacher))
    for place in range(len(batch)):
        first = 0 if batch.targets[place] >= 0 else 1
        pairs = list(zip(mine[place], theirs[place], strict=True))[first:]
        assert counts[place] == bool(pairs)
        if head == "rating":
            each = [(a - b) ** 2 for a, b in pairs]
        else:
            each = [heat**2 * bce(1 / (1 + math.exp(-b / heat)), a / heat) for a, b in pairs]
        assert losses[place].item() == pytest.approx(np.mean(each) if each else 0.0, rel=1e-9)


def test_agreement_is_the_least_there_is():
    """With the same model beside it a rating's loss is 0, and a like's is where its gradient is."""
    student, batch = headed(), batch_of()
    for head in ("rating", "like"):
        term = objective(head=head, of="teacher", draws=4)
        sides = Output.of(student, batch), Output.of(student, batch).detached()
        losses, _ = term(*sides, places_of(batch), term.knobs(0.0, {}))
        weights = list(heads_of(student.network)[head].parameters())
        for slope in torch.autograd.grad(losses.sum(), weights):
            assert slope.abs().max() < 1e-12
        if head == "rating":
            assert losses.abs().max() == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "rating"},
        {"head": "like"},
        {"head": "rating", "of": "teacher", "draws": 2},
        {"head": "like", "of": "teacher", "draws": 2, "temperature": 2.0},
    ],
)
def test_gradients_against_finite_differences(settings):
    """Of the states, the item vectors and the head; none reaches the teacher."""
    student, teacher, batch = headed(width=4), headed(1, width=4), batch_of([[3, 1, 4], [2, 6]])
    term, places = objective(**settings), places_of(batch)
    base, other = Output.of(student, batch).detached(), Output.of(teacher, batch)
    head = heads_of(student.network)[term.head]
    weights = dict(head.named_parameters())

    def loss(states, table, *values):
        torch.manual_seed(5)
        given = Output(student, batch, states, table)
        for name, value in zip(weights, values, strict=True):
            delattr(head, name)
            setattr(head, name, value)
        losses, counts = term(given, other if term.of else None, places, term.knobs(0.0, {}))
        for name, value in weights.items():
            delattr(head, name)
            setattr(head, name, value)
        return losses * counts

    sources = [base.states, base.table, *(value.detach().clone() for value in weights.values())]
    assert torch.autograd.gradcheck(loss, [one.requires_grad_() for one in sources])
    if term.of:
        found = torch.autograd.grad(
            loss(*sources).sum(), list(teacher.network.parameters()), allow_unused=True
        )
        assert all(one is None for one in found)


def loss_of(student, *terms, teacher=None, ratings=None):
    student.network.float()
    if teacher:
        teacher.network.float()
    return DistillationLoss(student, terms, {}, torch.ones(ITEMS), teacher=teacher, ratings=ratings)


def eventful(seed=0):
    """A batch whose positions are events, and what came after each."""
    batch = batch_of()
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed))
    batch = replace(batch, events=order)
    known = ratings_of(batch)
    ratings = torch.empty(len(batch))
    ratings[order] = known
    return batch, known, ratings


def test_a_loss_reads_ratings_by_event():
    """The mean is over the positions whose next item was rated, wherever its event stands in the log."""
    batch, known, ratings = eventful()
    student = headed()
    found = loss_of(student, objective(head="rating", weight=2.0), ratings=ratings)(batch, START)
    items = batch.targets.clamp_min(0)[:, None]
    answers = told(student, batch, "rating", items)[:, 0]
    there = ~known.isnan()
    expected = (answers - known)[there].square().mean().item()
    assert found.terms["outcome"].item() == pytest.approx(expected, rel=1e-4)
    assert found.total.item() == pytest.approx(2 * expected, rel=1e-4)


def test_where_nothing_was_rated_the_loss_is_nothing():
    batch, _, _ = eventful()
    found = loss_of(headed(), objective(head="like"))(batch, START)
    assert found.total.item() == 0.0
    found.total.backward()


def test_an_item_nobody_met_is_learned_from_a_teacher():
    """Observed terms leave what they did not see alone; a teacher's draws reach the whole catalogue."""
    batch = batch_of([[0, 1, 2], [1, 2]])
    batch = replace(batch, targets=batch.targets % 3, events=torch.arange(len(batch)))
    ratings, moved = ratings_of(batch), {}
    for name, settings in {"observed": {}, "taught": {"of": "teacher", "draws": 50}}.items():
        student = headed()
        term = objective(head="rating", **settings)
        loss = loss_of(student, term, teacher=headed(1, width=4), ratings=ratings)
        loss(batch, START).total.backward()
        moved[name] = student.network.items.vectors.grad.abs().sum(1) > 0
    assert moved["observed"].tolist() == [True] * 3 + [False] * (ITEMS - 3)
    assert moved["taught"].all()


@pytest.mark.parametrize("kind", ["uncertainty", "gradient-norm"])
def test_it_shares_the_say_with_other_terms(kind):
    """Weightings measure its gradient at what all terms share."""
    batch, _, ratings = eventful()
    terms = Terms.model_validate(
        {"objectives": [NextItem(), objective(head="rating")], "weighting": {"kind": kind}}
    )
    student = headed()
    student.network.float()
    counts = torch.ones(ITEMS)
    loss = DistillationLoss(student, terms.objectives, {}, counts, terms.weighting, ratings=ratings)
    loss.train()
    for step in range(3):
        found = loss(batch, Moment(step, 10, 0, {}))
    assert found.total.isfinite()
    assert {"next-item", "outcome"} <= set(found.terms)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"head": "rating", "draws": 3}, "say `of` whom"),
        ({"head": "like", "temperature": 2.0}, "name whom under `of`"),
        ({"head": "rating", "of": "teacher", "temperature": 2.0}, "a rating has no"),
        ({"head": "like", "of": "itself"}, "its own answers"),
        ({"head": "like", "of": "peer"}, "let a `tutor`"),
        ({"head": "stars"}, "'rating' or 'like'"),
        ({}, "head"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        objective(**settings)


def test_a_head_that_is_not_there_is_refused():
    with pytest.raises(
        ConfigError, match="'outcome' needs a head for 'like', which the student lacks"
    ) as caught:
        loss_of(headed(outcomes=["rating"]), objective(head="like"))
    assert "outcomes: [rating, like]" in caught.value.hint
    with pytest.raises(ConfigError, match="the model that teaches it lacks"):
        loss_of(headed(), objective(head="like", of="teacher"), teacher=headed(outcomes=()))
    with pytest.raises(ConfigError, match="mean different things"):
        loss_of(headed(), objective(head="like", of="teacher"), teacher=headed(outcomes=["like"]))


def test_the_average_of_a_student_foretells_too():
    batch, _, ratings = eventful()
    loss = loss_of(
        headed(), objective(head="rating", of="average", draws=2), ratings=ratings
    ).train()
    assert loss(batch, START).total.item() == pytest.approx(0.0, abs=1e-9)
