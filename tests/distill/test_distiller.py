"""The verb, from signals on disk to a student: closer to its teacher than its twin, and reproducible."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from spoken import last_items, oracle, speak

import recdistill.distill
from recdistill.distill import KL, Align, NextItem, Recipe, distill
from recdistill.distill.objectives import DistillationExperts, MaskedGeneration
from recdistill.errors import ConfigError, DataError, SignalError
from recdistill.models.sasrec import SASRec
from recdistill.training.options import AdamW, RunOptions, TrainingConfig

TRAINING = TrainingConfig(
    epochs=8, batch_size=32, patience=None, optimizer=AdamW(learning_rate=0.02)
)


@pytest.fixture(scope="module")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset, k=20)


HISTORY = 10


def new_student(dataset, **config):
    return SASRec.for_dataset(dataset, width=16, blocks=1, history=HISTORY, dropout=0.1, **config)


def distance(student, dataset):
    """Mean KL from the teacher, and the share of contexts with the same best item."""
    contexts = dataset.contexts().distinct().take(slice(None, None, 5))
    teacher = torch.from_numpy(oracle(dataset)[0][last_items(contexts)]).log_softmax(1)
    student.network.eval()
    with torch.no_grad():
        logs = (student.states(contexts.histories) @ student.item_table().T).log_softmax(1)
    divergence = (teacher.exp() * (teacher - logs)).sum(1).mean().item()
    return divergence, (teacher.argmax(1) == logs.argmax(1)).float().mean().item()


@pytest.fixture(scope="module")
def twin(tiny_dataset):
    student = new_student(tiny_dataset)
    distill(student, tiny_dataset, None, [NextItem()], TRAINING)
    return student


@pytest.mark.parametrize(
    "objective",
    [
        {"kind": "kl"},
        {"kind": "kl", "direction": "reverse"},
        {"kind": "kl", "direction": "jensen-shannon", "weight": 4.0},
        {"kind": "kl", "rest": "bucket"},
        {"kind": "hard-label"},
        {"kind": "mse", "scale": "centred"},
    ],
    ids=["forward", "reverse", "jensen-shannon", "bucket", "hard-label", "mse"],
)
def test_a_student_comes_closer_to_its_teacher_than_its_twin(
    tiny_dataset, signals, twin, objective
):
    student = new_student(tiny_dataset)
    recipe = {"objectives": [{"kind": "next-item", "weight": 0.1}, objective]}
    log = distill(student, tiny_dataset, signals, recipe, TRAINING)
    assert len(log.epochs) == 8
    taught, untaught = distance(student, tiny_dataset), distance(twin, tiny_dataset)
    assert taught[1] > untaught[1] + 0.1
    assert taught[0] < untaught[0] or objective["kind"] == "hard-label"


def test_every_term_is_in_the_log(tiny_dataset, signals):
    recipe = {
        "objectives": [
            {"kind": "next-item"},
            {"kind": "kl", "weight": {"kind": "linear", "from": 1.0, "to": 0.0}, "temperature": 2},
            {"kind": "align", "weight": 0.5},
        ]
    }
    training = TRAINING.model_copy(update={"epochs": 2})
    log = distill(new_student(tiny_dataset), tiny_dataset, signals, recipe, training)
    losses = log.epochs[0].losses
    parts = [losses[f"{name}/weighted"] for name in ("next-item", "kl", "align")]
    assert losses["loss"] == pytest.approx(sum(parts), rel=1e-5)
    assert losses["align"] == pytest.approx(2 * losses["align/weighted"], rel=1e-5)
    assert losses["kl/temperature"] == 2
    assert log.epochs[0].losses["kl/weight"] > log.epochs[1].losses["kl/weight"]
    assert log.best is not None


def test_the_twin_is_what_a_list_a_recipe_or_nothing_say(tiny_dataset, twin):
    training = TRAINING
    student = new_student(tiny_dataset)
    distill(student, tiny_dataset, training=training)
    for mine, theirs in zip(student.network.parameters(), twin.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert Recipe() == Recipe.of([NextItem()])


def test_the_same_seed_gives_the_same_student_and_another_does_not(tiny_dataset, signals):
    drawing = [Align(sample=5), DistillationExperts(experts=2), MaskedGeneration()]
    recipe = [NextItem(), KL(), *drawing]
    training = TRAINING.model_copy(update={"epochs": 2})
    tables = []
    for seed in (0, 0, 1):
        student = new_student(tiny_dataset)
        distill(student, tiny_dataset, signals, recipe, training, RunOptions(seed=seed))
        tables.append(student.item_table().detach())
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])


@pytest.mark.parametrize("windows", ["all", "last"])
def test_the_last_windows_alone_are_learned_from_where_asked(tiny_dataset, windows):
    """By way of a student's own `fit` and of a recipe alike."""
    training = TrainingConfig(epochs=1, batch_size=16, windows=windows)
    inputs = tiny_dataset.train.histories.lengths - 1
    wanted = (inputs.clip(max=HISTORY) if windows == "last" else inputs).clip(min=0).sum()
    taught = distill(new_student(tiny_dataset), tiny_dataset, training=training)
    assert taught.positions == wanted
    assert (wanted < inputs.clip(min=0).sum()) == (windows == "last")
    own, reference = new_student(tiny_dataset), new_student(tiny_dataset)
    own.fit(tiny_dataset, training)
    distill(reference, tiny_dataset, training=training)
    assert torch.equal(own.item_table(), reference.item_table())


def test_sampled_softmax_learns(tiny_dataset):
    student = new_student(tiny_dataset)
    loss = {"kind": "sampled-softmax", "negatives": 20, "alpha": 0.5}
    log = distill(
        student, tiny_dataset, None, {"objectives": [{"kind": "next-item", "loss": loss}]}, TRAINING
    )
    first, last = log.epochs[0].losses["next-item"], log.epochs[-1].losses["next-item"]
    assert last < 0.9 * first


def test_smoothing_a_sample_is_refused():
    with pytest.raises(ValueError, match="whole catalogue"):
        NextItem.model_validate({"loss": {"kind": "sampled-softmax"}, "smoothing": 0.1})


def test_item_vectors_are_inherited(tiny_dataset, signals, caplog):
    recipe = {"init": {"from": "teacher", "what": "item-vectors"}}
    frozen = TrainingConfig(epochs=1, batch_size=32, optimizer=AdamW(learning_rate=1e-12))
    student, own = new_student(tiny_dataset), new_student(tiny_dataset)
    with caplog.at_level(logging.INFO):
        distill(student, tiny_dataset, signals, recipe, frozen)
    vectors = oracle(tiny_dataset)[1]
    axes = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[2]
    wanted = np.abs((vectors - vectors.mean(0)) @ axes.T)
    table = student.item_table().detach().numpy()[:, :12]
    np.testing.assert_allclose(
        np.abs(table) / wanted * wanted.mean(), np.abs(table).mean(), rtol=1e-2
    )
    torch.testing.assert_close(student.item_table().std(), own.item_table().std(), rtol=0.3, atol=0)
    assert "40 of 40 items start from the teacher's vectors" in caplog.text
    assert "100.0 %" in caplog.text


def test_a_student_made_for_other_vectors_cannot_inherit(tiny_dataset, signals):
    student = new_student(tiny_dataset, items={"kind": "vectors", "features": 4})
    with pytest.raises(ConfigError, match=r"have width 12, but .* from vectors of width 4"):
        distill(student, tiny_dataset, signals, {"init": {}}, TRAINING)


OFFSET = {"kind": "offset", "features": 12}


def test_offset_items_take_the_teacher_s_vectors_in_and_learn_beside_them(tiny_dataset, signals):
    student = new_student(tiny_dataset, items=OFFSET)
    before = {name: part.clone() for name, part in student.network.items.named_parameters()}
    distill(student, tiny_dataset, signals, {"init": {}}, TRAINING)
    vectors = oracle(tiny_dataset)[1]
    centred = vectors - vectors.mean(0)
    items = student.network.items
    np.testing.assert_allclose(items.features, centred / np.sqrt((centred**2).mean()), rtol=1e-4)
    assert all((part != before[name]).any() for name, part in items.named_parameters())
    bent = 0.2 * items.project(items.features)
    torch.testing.assert_close(student.item_table(), items.offset.vectors + bent)


def test_offset_items_of_another_width_are_refused(tiny_dataset, signals):
    student = new_student(tiny_dataset, items={**OFFSET, "features": 4})
    with pytest.raises(ConfigError, match="width 12"):
        distill(student, tiny_dataset, signals, {"init": {}}, TRAINING)


def test_offset_items_without_the_teacher_s_vectors_are_told(tiny_dataset, signals, caplog):
    training = TRAINING.model_copy(update={"epochs": 1})
    distill(new_student(tiny_dataset, items=OFFSET), tiny_dataset, signals, [KL()], training)
    assert "nothing puts them there; add `init:" in caplog.text
    caplog.clear()
    distill(new_student(tiny_dataset, items=OFFSET), tiny_dataset, training=training)
    distill(new_student(tiny_dataset), tiny_dataset, signals, [KL()], training)
    assert "nothing puts them there" not in caplog.text


def test_refusals_come_before_training(tiny_dataset, make_dataset, signals, tmp_path):
    student = new_student(tiny_dataset)
    before = student.item_table().detach().clone()
    with pytest.raises(ConfigError, match="which the teacher does not say"):
        distill(student, tiny_dataset, None, [KL()], TRAINING)
    with pytest.raises(ConfigError, match="keep it at 1"):
        distill(student, tiny_dataset, signals, [KL(rest="bucket", temperature=2.0)], TRAINING)
    other = make_dataset(tmp_path, seed=9)
    with pytest.raises(SignalError, match="another dataset"):
        distill(new_student(other), other, signals, [KL()], TRAINING)
    with pytest.raises(DataError, match="not those of"):
        distill(new_student(make_dataset(tmp_path / "wide", items=50)), tiny_dataset)
    assert torch.equal(student.item_table(), before)


def test_advice_is_logged(tiny_dataset, signals, caplog):
    training = TRAINING.model_copy(update={"epochs": 1})
    distill(new_student(tiny_dataset), tiny_dataset, signals, [KL(temperature=90.0)], training)
    assert "all but flat" in caplog.text


def test_the_package_itself_is_the_verb(tiny_dataset):
    """`rd.distill(…)` must work whether or not `recdistill.distill` was imported before."""
    training = TRAINING.model_copy(update={"epochs": 1})
    log = recdistill.distill(new_student(tiny_dataset), tiny_dataset, training=training)
    assert len(log.epochs) == 1
