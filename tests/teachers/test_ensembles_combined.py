"""Ensembles that combine otherwise than by mean: from configuration to folder and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from recdistill.errors import ConfigError
from recdistill.models.validation import validation
from recdistill.progress import LineProgress
from recdistill.signals import HardLabel, ItemVectors, TopK, UserVectors
from recdistill.teachers import EnsembleTeacher, label, load_teacher, make_teacher, never_says
from recdistill.teachers.ensemble import EnsembleConfig
from recdistill.teachers.loading import teacher_config
from recdistill.training.options import RunOptions

SASREC = {
    "kind": "recommender",
    "model": {"kind": "sasrec", "width": 8, "blocks": 1, "history": 10},
    "training": {"epochs": 2, "batch_size": 32, "patience": None},
}
POPULARITY, KNN = (
    {"kind": "recommender", "model": {"kind": k}} for k in ("popularity", "item-knn")
)
COMBINERS = [
    {"kind": "probabilities"},
    {"kind": "vote", "top": 5},
    {"kind": "confidence"},
    {"kind": "per-context"},
    {"kind": "per-context", "margin": 0, "recent": 2},
]
KINDS = [TopK(k=5), HardLabel()]
combiners = pytest.mark.parametrize("combine", COMBINERS, ids=lambda one: one["kind"])


def ensemble(combine, *members, **settings) -> EnsembleTeacher:
    return EnsembleTeacher.of(members=members or (SASREC, POPULARITY), combine=combine, **settings)


@combiners
def test_it_learns_speaks_and_survives_its_folder(combine, tiny_dataset, tmp_path):
    teacher = ensemble(combine).fit(tiny_dataset)
    assert teacher.says == {"top-k", "hard-label"}
    assert teacher.width == 0
    signals = label(teacher, tiny_dataset, tmp_path / "signals", KINDS)
    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", tiny_dataset)
    assert again.identity() == teacher.identity()
    histories = tiny_dataset.valid.histories
    one, other = (
        each.recommender.score(each.recommender.states(histories)) for each in (again, teacher)
    )
    torch.testing.assert_close(one, other)
    label(again, tiny_dataset, tmp_path / "signals", KINDS)
    keys = tiny_dataset.contexts().keys[:9]
    said = signals["top-k"].read(signals["top-k"].find(keys))
    asked = teacher.recommender.trimmed(tiny_dataset.contexts().histories.take(slice(0, 9)))
    scores = teacher.recommender.score(teacher.recommender.states(asked))
    np.testing.assert_allclose(
        said["logits"], scores.gather(1, torch.from_numpy(said["items"]).long()), atol=2e-3
    )


@combiners
@pytest.mark.parametrize("kind", [ItemVectors(), UserVectors()])
def test_vectors_are_refused_with_what_it_can_say(combine, kind, tiny_dataset, tmp_path):
    teacher = ensemble(combine, POPULARITY, POPULARITY).fit(tiny_dataset)
    with pytest.raises(ConfigError, match=f"cannot say '{kind.kind}'") as caught:
        label(teacher, tiny_dataset, tmp_path / "signals", [kind])
    assert "hard-label, top-k" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot say 'item-vectors'"):
        teacher.item_vectors()


def test_a_mean_with_a_member_without_vectors_has_none_either(tiny_dataset):
    with pytest.raises(ConfigError, match="cannot say 'item-vectors'"):
        ensemble({"kind": "mean"}, POPULARITY, KNN, weights=[1, 1]).fit(tiny_dataset).item_vectors()


@pytest.mark.parametrize("combine", [one for one in COMBINERS if one["kind"] != "vote"])
def test_on_validation_it_is_no_worse_than_the_better_member(combine, tiny_dataset):
    teacher = ensemble(combine, SASREC, KNN).fit(tiny_dataset)
    alone = [validation(member.recommender, tiny_dataset)() for member in teacher.members]
    assert validation(teacher.recommender, tiny_dataset)() >= max(alone) - 1e-6


def test_a_member_of_weight_zero_is_left_out(tiny_dataset):
    teacher = ensemble({"kind": "vote"}, POPULARITY, SASREC, weights=[1, 0]).fit(tiny_dataset)
    assert [note["weight"] for note in teacher.notes["members"]] == [1, 0]
    assert len(teacher.recommender.members) == 1
    alone = teacher.members[0].recommender
    histories = tiny_dataset.valid.histories
    both = (each.score(each.states(histories)) for each in (teacher.recommender, alone))
    one, other = (scores.argsort(dim=1, descending=True, stable=True) for scores in both)
    torch.testing.assert_close(one, other)


def test_every_combiner_makes_another_teacher(tiny_dataset):
    combiners = [{"kind": "mean"}, *COMBINERS, {"kind": "vote", "top": 6}]
    fitted = [
        ensemble(c, POPULARITY, POPULARITY, weights=[1, 1]).fit(tiny_dataset) for c in combiners
    ]
    assert len({teacher.identity().digest for teacher in fitted}) == len(combiners)
    assert len({teacher.identity().revision for teacher in fitted}) == len(combiners)


def test_the_identity_of_a_mean_is_what_it_was_before_there_was_a_choice():
    plain = ensemble({"kind": "mean"}).config
    assert "combine" not in plain.model_dump(mode="json")
    assert EnsembleConfig.model_validate(plain.model_dump(mode="json")) == plain
    voting = ensemble({"kind": "vote", "top": 3}).config
    assert EnsembleConfig.model_validate(voting.model_dump(mode="json")) == voting


def test_what_came_of_the_gate_is_noted_and_said(tiny_dataset, tmp_path):
    teacher = ensemble({"kind": "per-context"}, POPULARITY, SASREC)
    with (tmp_path / "log").open("w") as stream:
        teacher.fit(tiny_dataset, RunOptions(progress=LineProgress(stream)))
    (remark,) = teacher.notes["remarks"]
    assert remark in (tmp_path / "log").read_text()
    assert f"{len(tiny_dataset.valid)} validation cases" in remark
    assert teacher.identity().settings["notes"]["gate"]["cases"] == len(tiny_dataset.valid)
    assert sum(note["weight"] for note in teacher.notes["members"]) == pytest.approx(1, abs=1e-4)


@combiners
def test_without_validation_cases_all_members_count_alike(combine, tiny_dataset):
    nothing = replace(tiny_dataset, valid=tiny_dataset.valid.take(slice(0, 0)))
    teacher = ensemble(combine, POPULARITY, KNN).fit(nothing)
    assert [note["weight"] for note in teacher.notes["members"]] == [0.5, 0.5]


# Configurations


def test_what_a_teacher_will_never_say_is_known_before_it_is_fitted():
    vectors = {"item-vectors", "user-vectors"}
    voting = {"kind": "ensemble", "members": [SASREC], "combine": {"kind": "vote"}}
    nested = {"kind": "ensemble", "members": [voting, SASREC]}
    mean = {"kind": "ensemble", "members": [SASREC]}
    found = [
        never_says(teacher_config.validate_python(one)) for one in (voting, nested, mean, SASREC)
    ]
    assert found == [vectors, vectors, frozenset(), frozenset()]


def test_a_combiner_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError, match="per-context"):
        make_teacher({"kind": "ensemble", "members": [SASREC], "combine": {"kind": "shout"}})


def test_ensembles_of_ensembles_are_read_back(tiny_dataset, tmp_path):
    inner = {"kind": "ensemble", "members": [POPULARITY, KNN], "combine": {"kind": "vote"}}
    teacher = ensemble({"kind": "mean"}, inner, POPULARITY, weights=[1, 1]).fit(tiny_dataset)
    teacher.save(tmp_path / "teacher")
    assert load_teacher(tmp_path / "teacher", tiny_dataset).identity() == teacher.identity()
