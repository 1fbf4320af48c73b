"""A teacher is asked about what was chosen and nothing else, whatever interrupts it and whatever was said before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asked import KINDS, Speaker
from growing_log import both

from recdistill.data.vocabulary import Vocabulary
from recdistill.distill import distill
from recdistill.distill.lookup import lookups
from recdistill.distill.recipe import Recipe
from recdistill.errors import StorageError
from recdistill.files import read_json
from recdistill.models.growing import grown
from recdistill.models.sasrec import SASRec
from recdistill.signals.carrying import Former
from recdistill.teachers import RecommenderTeacher, label
from recdistill.teachers.selecting import Circumstances, Eligible, Random
from recdistill.training.options import RunOptions, TrainingConfig


@pytest.fixture
def chosen(tiny_dataset, fixed):
    eligible = Eligible.of(tiny_dataset)
    known = Circumstances(tiny_dataset, fixed(), RunOptions())
    return eligible.contexts.keys[Random(contexts=300).choose(eligible, known).rows]


def content(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): (
            {**read_json(path), "seconds": 0} if path.suffix == ".json" else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_was_chosen_is_asked_and_nothing_else(fixed, tiny_dataset, tmp_path, chosen):
    speaker = Speaker(fixed())
    signals = label(speaker, tiny_dataset, tmp_path, KINDS, chosen=chosen)
    assert sorted(speaker.asked) == sorted(chosen.tolist())
    keys = tiny_dataset.contexts().keys
    for kind in ("top-k", "user-vectors", "hard-label"):
        assert len(signals[kind]) == 300
        assert ((signals[kind].find(keys) >= 0) == np.isin(keys, chosen)).all()
    assert len(signals["item-vectors"]) == tiny_dataset.num_items


def test_rows_are_those_of_a_labelling_of_everything(fixed, tiny_dataset, tmp_path, chosen):
    some = label(Speaker(fixed()), tiny_dataset, tmp_path / "some", KINDS, chosen=chosen)
    whole = label(Speaker(fixed()), tiny_dataset, tmp_path / "whole", KINDS)
    for kind in ("top-k", "user-vectors", "hard-label"):
        found = some[kind].read(some[kind].find(chosen))
        for name, values in whole[kind].read(whole[kind].find(chosen)).items():
            np.testing.assert_allclose(found[name], values, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("failing_write", range(1, 9))
def test_interrupted_at_any_write_it_ends_as_if_it_had_not_been(
    fixed, tiny_dataset, tmp_path, monkeypatch, failing_write, chosen
):
    label(Speaker(fixed()), tiny_dataset, tmp_path / "whole", KINDS, shard_rows=90, chosen=chosen)
    replace, writes = Path.replace, []

    def full(self, target):
        writes.append(target)
        if len(writes) == failing_write:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match="No space left"):
            label(Speaker(fixed()), tiny_dataset, tmp_path / "again", KINDS, shard_rows=90, chosen=chosen)  # fmt: skip
    label(Speaker(fixed()), tiny_dataset, tmp_path / "again", KINDS, shard_rows=90, chosen=chosen)
    assert content(tmp_path / "again") == content(tmp_path / "whole")


def test_what_was_said_before_stays_and_the_chosen_are_added(make_source, tmp_path):
    former, later = both(make_source, tmp_path)
    model = RecommenderTeacher.of(model={"kind": "sasrec", "width": 8, "blocks": 1, "history": 6},
                                  training={"epochs": 1, "batch_size": 32})  # fmt: skip
    model.fit(former)
    some = Random(contexts=100)
    known = Circumstances(later, model.recommender, RunOptions())
    eligible = Eligible.of(former)
    first = eligible.contexts.keys[some.choose(eligible, known).rows]
    said = label(Speaker(model.recommender), former, tmp_path / "said", KINDS, chosen=first)
    before = Former.of(said, former.vocabulary, later.vocabulary)
    new = Eligible.of(later)
    new = new.take(np.flatnonzero(~np.isin(new.contexts.keys, first)))
    second = new.contexts.keys[some.choose(new, known).rows]
    speaker = Speaker(grown(model.recommender, later.vocabulary))
    found = label(speaker, later, tmp_path / "now", KINDS, former=before, chosen=second)
    assert sorted(speaker.asked) == sorted(second.tolist())
    carried = np.intersect1d(first, later.contexts().keys)
    assert set(found["top-k"].keys.tolist()) == {*carried.tolist(), *second.tolist()}
    assert isinstance(later.vocabulary, Vocabulary)


def test_students_learn_from_what_there_is(fixed, tiny_dataset, tmp_path, chosen):
    """Where nothing was said the term is silent: teaching with a label that is absent everywhere else changes the
    student, and its loss is a number throughout."""
    signals = label(Speaker(fixed()), tiny_dataset, tmp_path, KINDS, chosen=chosen)
    heard = lookups(signals, tiny_dataset, ["top-k"])["top-k"]
    keys = tiny_dataset.contexts().keys
    assert (heard.has(np.arange(len(keys))) == np.isin(keys, chosen)).all()
    terms = [{"kind": "next-item"}, {"kind": "kl"}, {"kind": "align", "weight": 0.1}]
    recipe = Recipe.of({"objectives": terms})
    settings = TrainingConfig(epochs=2, batch_size=32)
    students = []
    for one in (recipe, recipe.untaught()):
        student = SASRec.for_dataset(tiny_dataset, width=6, blocks=1, history=10)
        log = distill(student, tiny_dataset, signals if one is recipe else None, one, settings)
        assert all(np.isfinite(list(epoch.losses.values())).all() for epoch in log.epochs)
        students.append(student.item_table())
    assert (students[0] - students[1]).abs().max() > 1e-4
