"""Who reads on, reads with what was learned: runs that go on, other domains, students' features."""

from __future__ import annotations

import pytest
from growing_log import both

from recdistill.models.sasrec import SASRecConfig
from recdistill.pipeline import item_features
from recdistill.teachers import load_teacher, make_teacher
from recdistill.teachers.adapting.adapting import Lesson
from recdistill.teachers.features.student import TextFeatures
from recdistill.teachers.going_on import Keep, go_on
from recdistill.training.options import RunOptions
from tests.support.domains import HEAD, prepared, write_domain

TRAINING = {"epochs": 1, "batch_size": 32}
ADAPT = {
    "kind": "lora",
    "training": {
        "epochs": 1,
        "batch_size": 8,
        "optimizer": {"learning_rate": 2e-2},
        "rate": {"kind": "constant"},
    },
}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """Whatever it is worth, so that these tests need not train for long."""
    monkeypatch.setattr(Lesson, "_measure", lambda *_: None)


@pytest.fixture
def lessons(monkeypatch):
    """How often a model was fine-tuned."""
    learn, learned = Lesson.learn, []

    def counted(self, folder, run):
        learned.append(folder)
        return learn(self, folder, run)

    monkeypatch.setattr(Lesson, "learn", counted)
    return learned


def reads(encoder):
    return {
        "kind": "text-encoder",
        "model": str(encoder),
        "inner": 8,
        "head": HEAD,
        "training": TRAINING,
        "adapt": ADAPT,
    }


def of_ensemble(notes: dict) -> dict:
    return notes["members"][-1] if "members" in notes else notes


@pytest.mark.parametrize("together", [False, True])
def test_a_teacher_that_goes_on_reads_new_items_with_what_it_learned(
    together, make_source, tiny_encoder, tmp_path, lessons
):
    former, later = both(make_source, tmp_path / "logs")
    config = reads(tiny_encoder)
    if together:
        popular = {"kind": "recommender", "model": {"kind": "popularity"}}
        config = {"kind": "ensemble", "members": [popular, config], "weights": [0.0, 1.0]}
    made = make_teacher(config).fit(former, RunOptions(folder=tmp_path / "run"))
    made.save(tmp_path / "saved")
    before = load_teacher(tmp_path / "saved", former)
    for number in range(2):  # what went on can go on
        after = go_on(before, former, later, Keep())
        after.save(tmp_path / str(number))
        before, former = load_teacher(tmp_path / str(number), later), later
    assert len(lessons) == 1
    assert of_ensemble(after.notes)["encoder"] == of_ensemble(made.notes)["encoder"]
    plain = make_teacher({**reads(tiny_encoder), "adapt": None}).fit(later)
    assert of_ensemble(after.notes)["encoder"] != plain.notes["encoder"]


def test_another_domain_is_read_with_what_was_learned_on_the_first(tiny_encoder, tmp_path, lessons):
    films = write_domain(tmp_path / "films", "f", users=30, items=40, events=500, seed=1)
    books = prepared(write_domain(tmp_path / "books", "b", users=20, items=30, events=300, seed=2))
    config = {"kind": "transfer", "source": {"source": str(films)}, "teacher": reads(tiny_encoder)}
    teacher = make_teacher(config).fit(books)
    assert len(lessons) == 1
    assert teacher.notes["encoder"] == teacher.notes["source"]["encoder"]
    assert "adaptation" in teacher.notes["source"]
    assert "adaptation" not in teacher.notes


def test_the_items_of_students_may_be_made_by_an_encoder_that_learned(
    tiny_dataset, tiny_encoder, tmp_path, lessons
):
    source = TextFeatures(model=str(tiny_encoder), adapt=ADAPT)
    student = SASRecConfig(items={"kind": "vectors", "features": 16})
    tables = []
    for name, made in (("adapted", source), ("plain", source.model_copy(update={"adapt": None}))):
        folder = tmp_path / name
        folder.mkdir()
        item_features.write(made, student, tiny_dataset, folder, RunOptions())
        tables.append((folder / item_features.FEATURES).read_bytes())
    assert tables[0] != tables[1]
    assert [path.parent for path in lessons] == [tmp_path / "adapted"]
    assert not list(tmp_path.rglob("checkpoints"))
