"""Mutual learning: two networks in one step, against the formulas and their derivatives worked out by hand."""

from __future__ import annotations

import pytest
import torch
from live import ITEMS, batch_of, model
from pydantic import ValidationError
from spoken import speak

from recdistill.distill import Recipe, distill
from recdistill.distill.companions import Average, Peer
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, NextItem
from recdistill.distill.output import Output
from recdistill.distill.peers import Fellow
from recdistill.distill.phases import Terms
from recdistill.distill.voices import Voices
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec
from recdistill.training.options import AdamW, RunOptions, TrainingConfig
from recdistill.training.step import Moment

NOW = Moment(0, 10, 0, {})
WIDER = {"width": 12, "blocks": 1, "heads": 2, "history": 6, "dropout": 0.0}


def loss_of(student, *objectives, seed=5) -> tuple[DistillationLoss, SASRec]:
    """The loss in double precision, and its only peer, large enough to say something."""
    terms = Terms.model_validate({"objectives": objectives}).objectives
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        loss = DistillationLoss(student, terms, {}, torch.ones(ITEMS).double()).double()
        (fellow,) = [part for part in loss.modules() if isinstance(part, Fellow)]
        with torch.no_grad():
            for value in fellow.network.parameters():
                value.add_(torch.randn_like(value) * 0.3)
    return loss, fellow.model


def logits(one: SASRec, batch):
    return one.encode(batch) @ one.item_table().T


def by_hand(own, other, batch, weight, heat):
    """−log p(target) + weight · T² KL(other ‖ own), and its derivative: p − 1[target] and weight · T (p^T − q^T)."""
    known, count, value, slope = batch.targets >= 0, len(own), 0.0, torch.zeros_like(own)
    answers = int(known.sum())
    for place in range(count):
        p, q = (torch.softmax(z[place] / heat, 0) for z in (own, other))
        value += weight * heat**2 * (q * (q.log() - p.log())).sum() / count
        slope[place] += weight * heat * (p - q) / count
        if known[place]:
            plain = torch.softmax(own[place], 0)
            value -= plain[batch.targets[place]].log() / answers
            slope[place] += plain / answers
            slope[place, batch.targets[place]] -= 1 / answers
    return value, slope


@pytest.mark.parametrize(("weight", "heat"), [(1.0, 1.0), (0.4, 2.0), (0.0, 1.0)])
@pytest.mark.parametrize("kind", [None, WIDER], ids=["alike", "wider"])
def test_both_networks_learn_by_the_formula_and_neither_through_the_other(kind, weight, heat):
    student, batch = model(), batch_of()
    who = {"kind": "peer", "model": kind, "weight": weight, "temperature": heat, "k": ITEMS}
    loss, peer = loss_of(
        student, {"kind": "next-item"}, {"kind": "kl", "of": who, "weight": 0.7, "temperature": 1.5}
    )
    assert peer.config.width == (12 if kind else 8)
    sides = [logits(one, batch) for one in (student, peer)]
    plain = [z.detach() for z in sides]
    own, own_slope = by_hand(*plain, batch, 0.7, 1.5)
    theirs, their_slope = by_hand(*reversed(plain), batch, weight, heat)
    found = loss(batch, NOW)
    torch.testing.assert_close(found.total.detach(), own + theirs)
    torch.testing.assert_close(found.terms["peer"], theirs)
    assert ("peer/kl" in found.terms) == (weight > 0)
    if weight:
        divergence = (theirs - found.terms["peer/next-item"]) / weight
        torch.testing.assert_close(found.terms["peer/kl"], divergence)
    found.total.backward()
    rounding = (1e-6, 1e-12)  # the peer's list is said in single precision
    slopes = (own_slope, their_slope)
    for one, z, slope, near in zip((student, peer), sides, slopes, rounding, strict=True):
        weights = list(one.network.parameters())
        wanted = torch.autograd.grad(z, weights, slope)
        for value, gradient in zip(weights, wanted, strict=True):
            torch.testing.assert_close(value.grad, gradient, rtol=1e-7, atol=near)


LIVE = [
    {"kind": "hint"},
    {"kind": "attention-map"},
    {"kind": "value-relation"},
    {"kind": "input-gradient"},
    {"kind": "counterfactual", "chosen": "most"},
]


@pytest.mark.parametrize("term", LIVE, ids=lambda term: term["kind"])
def test_live_terms_hear_the_peer_and_do_not_move_it(term):
    student, batch, moved = model(), batch_of(), []
    for weight in (1.0, 0.0):
        loss, peer = loss_of(
            student, {"kind": "next-item"}, {**term, "of": "peer", "weight": weight}
        )
        found = loss(batch, NOW)
        assert (term["kind"] in found.terms) == (weight > 0)
        found.total.backward()
        assert peer.network.training
        moved.append([value.grad for value in peer.network.parameters()])
    assert any(gradient.any() for gradient in moved[0])
    assert all(map(torch.equal, *moved)), "the lesson alone, listened to or not"


def test_a_peer_speaks_with_its_dropout_while_it_learns_and_plainly_afterwards():
    student, batch = model(), batch_of()
    loss, peer = loss_of(
        student, {"kind": "kl", "of": {"kind": "peer", "model": {**WIDER, "dropout": 0.5}}}
    )
    (fellow,) = [part for part in loss.modules() if isinstance(part, Fellow)]
    own = Output.of(student, batch)
    first, again = (fellow(batch, own, watch=True) for _ in range(2))
    assert first.states.requires_grad
    assert not torch.equal(first.states, again.states)
    assert len(first.internals.hidden) == 1
    loss.eval()
    first, again = (fellow(batch, own, watch=False) for _ in range(2))
    assert torch.equal(first.states, again.states)
    assert not first.states.requires_grad
    found = loss(batch, NOW)
    assert set(found.terms) == {"kl", "kl/weighted", "kl/weight", "kl/temperature"}
    assert all(value.grad is None for value in peer.network.parameters())


def test_positions_without_a_next_item_are_learned_from_the_student_only():
    batch, student = batch_of(), model()
    batch.targets.fill_(-1)
    loss, peer = loss_of(student, {"kind": "kl", "of": {"kind": "peer", "weight": 2.0}})
    plain = [logits(one, batch).detach() for one in (peer, student)]
    found = loss(batch, NOW)
    assert found.terms["peer/next-item"] == 0
    torch.testing.assert_close(found.terms["peer"], by_hand(*plain, batch, 2.0, 1.0)[0])


def test_terms_that_name_the_same_peer_share_it_and_another_name_is_another():
    student = model()
    named = [Peer(), Peer(k=3), Peer(name="second"), Peer(weight=0.5, name="third")]
    voices = Voices(
        [KL(of=one, name=one.who + str(one.k)) for one in named], student, None
    ).double()
    assert voices.of(named[0]) is voices.of(named[1])
    networks = [voices.of(one).model.network for one in named[1:]]
    tables = [network.items() for network in networks]
    assert not torch.equal(tables[0], tables[1])
    batch = batch_of()
    own = Output.of(student, batch)
    said = voices.about(own, {Peer(k=3): False})
    assert set(voices.lessons(own, said)) == {"peer", "second", "third"}
    voices.eval()
    assert voices.lessons(own, voices.about(own, {})) == {}


def test_a_peer_begins_from_another_seed_than_its_student():
    """Although both are drawn after the very same `manual_seed`."""
    config = model().config
    torch.manual_seed(3)
    student = SASRec(config, model().vocabulary)
    peers = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        peers.append(Peer().speaker(student, None).model)
    assert all(peer.config == config for peer in peers)
    tables = [one.item_table() for one in (student, *peers)]
    assert torch.equal(tables[1], tables[2])
    assert not torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[1], tables[3])
    assert all(value.requires_grad for value in peers[0].network.parameters())


def test_features_of_a_peer_are_its_student_s():
    made_of = {"items": {"kind": "vectors", "features": 5}}
    student = model(**made_of)
    student.network.items.features.normal_()
    peer = Peer().speaker(student, None).model
    assert torch.equal(peer.network.items.features, student.network.items.features.float())
    for other, what in (
        (model(), "has none"),
        (model(items={"kind": "vectors", "features": 4}), "width 4"),
    ):
        with pytest.raises(ConfigError, match=f"width 5, .*{what}"):
            Peer(model=student.config).speaker(other, None)


def test_refusals():
    with pytest.raises(ConfigError, match="The peer sees 3 items of a history, its student 6"):
        Peer(model={**WIDER, "history": 3}).speaker(model(), None)
    for wrong in (
        {"weight": -1.0},
        {"temperature": 0.0},
        {"model": {"width": 7, "heads": 2}},
        {"name": ""},
    ):
        with pytest.raises(ValidationError):
            Peer.model_validate(wrong)
    heard = [{"kind": "kl", "name": name, "of": of} for name, of in
             (("a", "peer"), ("b", {"kind": "peer", "weight": 2.0}))]  # fmt: skip
    with pytest.raises(ValidationError, match="two objectives or peers are called 'peer'"):
        Terms.model_validate({"objectives": heard})
    with pytest.raises(ValidationError, match="two objectives or peers are called 'peer'"):
        Terms.model_validate({"objectives": [{"kind": "kl", "name": "peer", "of": "peer"}]})
    shared = [heard[0], {"kind": "hint", "of": {"kind": "peer", "k": 7}}]
    assert len(Terms.model_validate({"objectives": shared}).objectives) == 2


def test_a_recipe_with_a_peer_asks_for_no_teacher_and_its_twin_has_no_peer():
    recipe = Recipe.of([NextItem(), KL(of=Peer())])
    assert not recipe.asks
    assert recipe.looks_inside
    assert recipe.needs == frozenset()
    assert recipe.untaught() == Recipe()
    recipe.check({})


TRAINING = TrainingConfig(
    epochs=6, batch_size=32, patience=None, optimizer=AdamW(learning_rate=0.02)
)


def learned(dataset, recipe, **changes):
    student = SASRec.for_dataset(dataset, width=16, blocks=1, history=10, dropout=0.1)
    training = TRAINING.model_copy(update=changes)
    return student, distill(student, dataset, None, recipe, training, RunOptions(seed=0))


def test_a_peer_learns_beside_its_student_and_leaves_no_trace(tiny_dataset):
    wider = {"width": 32, "blocks": 1, "history": 10, "dropout": 0.1}
    term = {"kind": "kl", "of": {"kind": "peer", "model": wider, "weight": 0.0}}
    student, log = learned(tiny_dataset, {"objectives": [{"kind": "next-item"}, term]})
    first, last = log.epochs[0].losses, log.epochs[-1].losses
    assert last["peer/next-item"] < 0.8 * first["peer/next-item"]
    assert last["loss"] == pytest.approx(last["next-item"] + last["kl"] + last["peer"], rel=1e-5)
    fresh = SASRec.for_dataset(tiny_dataset, **student.config.model_dump(exclude={"kind"}))
    assert student.network.state_dict().keys() == fresh.network.state_dict().keys()


def test_two_that_listen_to_each_other_come_closer_than_two_that_do_not(tiny_dataset):
    def apart(weight, back):
        term = {"kind": "kl", "weight": weight, "of": {"kind": "peer", "weight": back, "k": 40}}
        _, log = learned(tiny_dataset, {"objectives": [{"kind": "next-item"}, term]}, epochs=3)
        return log.epochs[-1].losses["kl"]

    assert apart(1.0, 1.0) < apart(1.0, 0.0) < apart(1e-6, 0.0)


def test_the_student_of_a_silent_peer_is_its_twin(tiny_dataset):
    """What is drawn for the peer, dropout included, does not disturb the student's own random numbers."""
    silent = {"kind": "kl", "weight": 0.0, "of": "peer"}
    changes = {"epochs": 1, "clip_norm": None}
    one, log = learned(tiny_dataset, {"objectives": [{"kind": "next-item"}, silent]}, **changes)
    twin, _ = learned(tiny_dataset, [NextItem()], **changes)
    assert log.epochs[0].losses["peer"] > 0
    torch.testing.assert_close(one.item_table(), twin.item_table(), rtol=0, atol=0)


def test_a_peer_beside_stored_signals_and_an_average(tiny_dataset, tmp_path):
    student = SASRec.for_dataset(tiny_dataset, width=16, blocks=1, history=10)
    terms = [NextItem(), KL(), KL(name="mutual", of=Peer()), KL(name="mean", of=Average())]
    training = TRAINING.model_copy(update={"epochs": 1})
    log = distill(student, tiny_dataset, speak(tmp_path, tiny_dataset), terms, training)
    assert {"kl", "mutual", "mean", "peer", "peer/kl"} <= set(log.epochs[0].losses)
