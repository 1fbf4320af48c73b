"""The loss of a recipe on a real student, against dense float64 references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from spoken import WIDTH, oracle, speak

from recdistill.data.batches import TrainingBatches
from recdistill.distill.filters import Disagreement, Labelled, TeacherRight
from recdistill.distill.filters.labelled import lots
from recdistill.distill.lookup import lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, MSE, Align, HardLabel, NextItem
from recdistill.training.step import Moment, TorchBatch

START = Moment(step=0, steps=11, epoch=0, feedback={})
MIDDLE = Moment(step=5, steps=11, epoch=0, feedback={})


@pytest.fixture(scope="module")
def partial(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("partial"), tiny_dataset, skip=20)


def make(student, dataset, signals, *objectives):
    needed = {term.source for term in objectives if term.source}
    counts = np.bincount(dataset.train.items, minlength=dataset.num_items)
    found = lookups(signals, dataset, needed)
    return DistillationLoss(student, objectives, found, torch.from_numpy(counts).float())


def logits_of(student, batch):
    table = student.item_table()
    return (student.encode(batch, table) @ table.T).double()


def test_next_item_is_the_mean_cross_entropy(student, tiny_dataset, signals, batch):
    found = make(student, tiny_dataset, signals, NextItem())(batch, START)
    wanted = torch.nn.functional.cross_entropy(logits_of(student, batch), batch.targets)
    torch.testing.assert_close(found.total.double(), wanted, rtol=1e-5, atol=1e-6)
    assert found.positions == len(batch)
    assert set(found.terms) == {"next-item", "next-item/weighted", "next-item/weight"}


def test_label_smoothing_is_torchs(student, tiny_dataset, signals, batch):
    found = make(student, tiny_dataset, signals, NextItem(smoothing=0.2))(batch, START)
    wanted = torch.nn.functional.cross_entropy(
        logits_of(student, batch), batch.targets, label_smoothing=0.2
    )
    torch.testing.assert_close(found.total.double(), wanted, rtol=1e-5, atol=1e-6)


def test_terms_add_up_with_their_weights(student, tiny_dataset, signals, batch):
    terms = (NextItem(weight=0.5), KL(temperature=2.0), MSE(weight=0.1), HardLabel(weight=2.0))
    whole = make(student, tiny_dataset, signals, *terms)(batch, START)
    alone = [make(student, tiny_dataset, signals, term)(batch, START).total for term in terms]
    torch.testing.assert_close(whole.total, sum(alone), rtol=1e-5, atol=1e-6)
    for term, part in zip(terms, alone, strict=True):
        torch.testing.assert_close(whole.terms[f"{term.label}/weighted"], part.detach())
        torch.testing.assert_close(whole.terms[term.label], part.detach() / term.weight)
    assert whole.terms["kl/temperature"].item() == 2.0


def test_gradients_are_those_of_the_dense_loss(student, tiny_dataset, signals, batch):
    make(student, tiny_dataset, signals, NextItem(), KL())(batch, START).total.backward()
    found = [part.grad.clone() for part in student.network.parameters()]
    student.network.zero_grad()
    logits = logits_of(student, batch)
    said = lookups(signals, tiny_dataset, ["top-k"])["top-k"].read(batch.events.numpy())
    teacher = torch.log_softmax(said["logits"].double(), -1)
    listed = torch.log_softmax(logits.gather(1, said["items"]), -1)
    dense = torch.nn.functional.cross_entropy(logits, batch.targets)
    dense = dense + (teacher.exp() * (teacher - listed)).sum(-1).mean()
    dense.backward()
    for gradient, part in zip(found, student.network.parameters(), strict=True):
        torch.testing.assert_close(gradient, part.grad, rtol=1e-3, atol=1e-6)


def test_schedules_move_weights_and_temperatures(student, tiny_dataset, signals, batch):
    moving = KL.model_validate(
        {
            "weight": {"kind": "linear", "from": 1.0, "to": 0.0},
            "temperature": {"kind": "linear", "from": 3.0, "to": 1.0},
        }
    )
    found = make(student, tiny_dataset, signals, moving)(batch, MIDDLE)
    fixed = make(student, tiny_dataset, signals, KL(weight=0.5, temperature=2.0))(batch, START)
    torch.testing.assert_close(found.total, fixed.total)
    assert found.terms["kl/weight"].item() == 0.5


def test_a_term_of_no_weight_is_left_out(student, tiny_dataset, signals, batch):
    found = make(student, tiny_dataset, signals, NextItem(), KL(weight=0), Align(weight=0))
    assert "kl" not in found(batch, START).terms
    alone = make(student, tiny_dataset, signals, NextItem())(batch, START).total
    torch.testing.assert_close(found(batch, START).total, alone)


def test_nothing_at_all_is_a_loss_of_zero(student, tiny_dataset, signals, batch):
    found = make(student, tiny_dataset, signals, NextItem(weight=0))(batch, START)
    found.total.backward()
    assert found.total.item() == 0
    assert found.terms == {}
    assert all(
        not part.grad.any() for part in student.network.parameters() if part.grad is not None
    )


def test_positions_without_a_signal_do_not_count(student, tiny_dataset, partial, signals, batch):
    found = make(student, tiny_dataset, partial, KL())(batch, START).total
    has = lookups(partial, tiny_dataset, ["top-k"])["top-k"].has(batch.events.numpy())
    assert 0 < (~has).sum() < len(has)
    said = lookups(signals, tiny_dataset, ["top-k"])["top-k"].read(batch.events.numpy())
    teacher = torch.log_softmax(said["logits"].double(), -1)
    listed = torch.log_softmax(logits_of(student, batch).gather(1, said["items"]), -1)
    each = (teacher.exp() * (teacher - listed)).sum(-1)
    torch.testing.assert_close(found.double(), each[has].mean(), rtol=1e-4, atol=1e-6)


def test_positions_without_a_target_do_not_count(student, tiny_dataset, signals, batch):
    targets = batch.targets.clone()
    targets[::3] = -1
    holes = replace(batch, targets=targets)
    found = make(student, tiny_dataset, signals, NextItem())(holes, START).total
    wanted = torch.nn.functional.cross_entropy(logits_of(student, batch), targets, ignore_index=-1)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    taught = make(student, tiny_dataset, signals, KL())
    torch.testing.assert_close(taught(holes, START).total, taught(batch, START).total)


def test_hard_labels_count_only_above_their_confidence(student, tiny_dataset, signals, batch):
    said = lookups(signals, tiny_dataset, ["hard-label"])["hard-label"].read(batch.events.numpy())
    middle = said["confidence"].median().item()
    found = make(student, tiny_dataset, signals, HardLabel(above=middle))(batch, START).total
    each = torch.nn.functional.cross_entropy(
        logits_of(student, batch), said["items"], reduction="none"
    )
    wanted = (each * (said["confidence"] >= middle)).mean()
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)
    assert found < make(student, tiny_dataset, signals, HardLabel())(batch, START).total


@pytest.mark.parametrize("on", ["item-vectors", "user-vectors"])
@pytest.mark.parametrize("distance", ["cosine", "mse", "whitened"])
def test_align_learns_its_projection_beside_the_student(
    student, tiny_dataset, signals, batch, on, distance
):
    loss = make(student, tiny_dataset, signals, Align(on=on, distance=distance))
    before = {name: part.clone() for name, part in student.network.named_parameters()}
    optimiser = torch.optim.Adam([*loss.parameters(), *student.network.parameters()], lr=0.02)
    first = loss(batch, START).total.item()
    for _ in range(60):
        optimiser.zero_grad()
        loss(batch, START).total.backward()
        optimiser.step()
    assert loss(batch, START).total.item() < 0.6 * first
    assert len(list(loss.parameters())) == 2
    assert set(before) == {name for name, _ in student.network.named_parameters()}
    assert (student.network.items.vectors != before["items.vectors"]).any()


def test_align_on_items_compares_the_items_of_the_batch(student, tiny_dataset, signals, batch):
    loss = make(student, tiny_dataset, signals, Align(distance="mse"))
    loss(batch, START).total.backward()
    touched = student.network.items.vectors.grad.abs().sum(1).nonzero().squeeze(1).tolist()
    assert touched == torch.cat([batch.items, batch.targets]).unique().tolist()


@pytest.mark.parametrize("on", ["item-vectors", "user-vectors"])
def test_align_compares_no_more_than_its_sample(student, tiny_dataset, signals, batch, on):
    loss = make(student, tiny_dataset, signals, Align(on=on, distance="mse", sample=3))
    seen = []
    loss._bridges[0].register_forward_hook(lambda _module, inputs, _out: seen.append(inputs))
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        loss(batch, START)
    assert [left.shape for left, _ in seen] == [(3, 8)] * 3
    assert [right.shape for _, right in seen] == [(3, WIDTH)] * 3
    torch.testing.assert_close(seen[0], seen[1])
    assert not torch.equal(seen[0][1], seen[2][1])


def test_align_pairs_belong_together(student, tiny_dataset, partial, batch):
    """Each student vector meets the teacher's of the same item, and only where there is one."""
    loss = make(student, tiny_dataset, partial, Align())
    seen = []
    loss._bridges[0].register_forward_hook(lambda _module, inputs, _out: seen.append(inputs))
    loss(batch, START)
    (left, right) = seen[0]
    table, vectors = student.item_table().detach(), oracle(tiny_dataset)[1]
    for mine, theirs in zip(left.detach(), right.numpy(), strict=True):
        item = int((table - mine).abs().sum(1).argmin())
        assert item >= 20
        np.testing.assert_array_equal(vectors[item], theirs)


def test_a_batch_without_any_signal_is_a_loss_of_zero(student, tiny_dataset, partial, batch):
    none = torch.full((len(batch),), -1)
    silent = replace(batch, targets=none, events=none)
    loss = make(student, tiny_dataset, partial, NextItem(), KL(), Align(on="user-vectors"))
    found = loss(silent, START)
    assert found.total.item() == 0
    found.total.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in student.network.parameters())


def test_filtered_positions_count_as_nothing(student, tiny_dataset, signals, batch):
    """The mean stays over all positions where the teacher spoke."""
    torch.manual_seed(0)
    heard = make(student, tiny_dataset, signals, KL(filters=(TeacherRight(within=3),)))
    found = heard(batch, START).total.double()
    lookup = lookups(signals, tiny_dataset, {"top-k"})["top-k"]
    signal = lookup.read(batch.events.numpy())
    right = (signal["items"][:, :3] == batch.targets[:, None]).any(1)
    assert 0 < right.sum() < len(right)
    own = logits_of(student, batch).gather(1, signal["items"]).log_softmax(1)
    teacher = signal["logits"].double().log_softmax(1)
    each = (teacher.exp() * (teacher - own)).sum(1)
    torch.testing.assert_close(found, (each * right).sum() / len(each), rtol=1e-5, atol=1e-7)


def test_a_filter_that_looks_at_the_student_gives_it_no_gradient(
    student, tiny_dataset, signals, batch
):
    """The gradient is that of the term over the positions that the filter chose, taken as given."""
    term = KL(filters=(Disagreement(),))
    make(student, tiny_dataset, signals, term)(batch, START).total.backward()
    found = student.network.items.vectors.grad.clone()
    student.network.zero_grad()
    signal = lookups(signals, tiny_dataset, {"top-k"})["top-k"].read(batch.events.numpy())
    own = logits_of(student, batch).gather(1, signal["items"])
    chosen = own.detach().argmax(1) != signal["logits"].argmax(1)
    teacher = signal["logits"].double().log_softmax(1)
    each = (teacher.exp() * (teacher - own.log_softmax(1))).sum(1)
    ((each * chosen).sum() / len(each)).backward()
    torch.testing.assert_close(found, student.network.items.vectors.grad, rtol=1e-3, atol=1e-6)


def test_few_labels_are_a_mean_over_them_in_expectation(student, tiny_dataset, signals, batch):
    found = make(student, tiny_dataset, signals, NextItem(filters=(Labelled(share=0.3),)), KL())
    terms = found(batch, START).terms
    each = torch.nn.functional.cross_entropy(
        logits_of(student, batch), batch.targets, reduction="none"
    )
    chosen = lots(batch.events, 0) < 0.3
    assert 0.1 < chosen.double().mean() < 0.5
    wanted = (each * chosen).sum() / 0.3 / len(each)
    torch.testing.assert_close(terms["next-item"].double(), wanted, rtol=1e-5, atol=1e-6)
    whole = make(student, tiny_dataset, signals, KL())(batch, START)
    torch.testing.assert_close(terms["kl"], whole.terms["kl"])


@pytest.fixture(scope="module")
def open_ended(tiny_dataset):
    """A batch that holds the end of every history too."""
    histories = tiny_dataset.train.histories
    return TorchBatch.of(TrainingBatches(histories, 10, 16, 0, unlabelled=True).batch(0, 0))


def test_where_nobody_knows_what_follows_only_the_teacher_teaches(
    student, tiny_dataset, signals, open_ended
):
    known = open_ended.targets >= 0
    assert not known.all()
    logits = logits_of(student, open_ended)
    own = make(student, tiny_dataset, signals, NextItem())(open_ended, START).total
    wanted = torch.nn.functional.cross_entropy(logits[known], open_ended.targets[known])
    torch.testing.assert_close(own.double(), wanted, rtol=1e-5, atol=1e-6)

    said = lookups(signals, tiny_dataset, ["top-k"])["top-k"].read(open_ended.events.numpy())
    teacher = torch.log_softmax(said["logits"].double(), 1)
    apart = teacher - torch.log_softmax(logits.gather(1, said["items"]), 1)
    heard = make(student, tiny_dataset, signals, KL())(open_ended, START).total
    torch.testing.assert_close(
        heard.double(), (teacher.exp() * apart).sum(1).mean(), rtol=1e-4, atol=1e-6
    )


def test_what_asks_for_the_answer_is_not_heard_where_there_is_none(
    student, tiny_dataset, signals, open_ended
):
    """A filter that compares with the truth leaves the unlabelled out, as if they were not there."""
    term = KL(filters=(TeacherRight(within=10**6),))
    everywhere = lookups(signals, tiny_dataset, ["top-k"])["top-k"]
    loss = make(student, tiny_dataset, signals, term)(open_ended, START).total
    known = open_ended.targets >= 0
    said = everywhere.read(open_ended.events.numpy())
    teacher = torch.log_softmax(said["logits"].double(), 1)
    logits = logits_of(student, open_ended)
    apart = (teacher.exp() * (teacher - torch.log_softmax(logits.gather(1, said["items"]), 1))).sum(
        1
    )
    right = (said["items"] == open_ended.targets[:, None]).any(1) & known
    wanted = apart[right].sum() / known.sum()
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-4, atol=1e-6)
