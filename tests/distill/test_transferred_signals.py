"""What a teacher learned elsewhere helps a student that has few labels of its own."""

from __future__ import annotations

import pytest

from recdistill.distill import distill
from recdistill.models.sasrec import SASRec
from recdistill.models.validation import validation
from recdistill.signals import TopK
from recdistill.teachers import label, make_teacher
from recdistill.training.options import RunOptions, TrainingConfig
from tests.support.domains import HEAD, TRAINING, prepared, write_domain, write_vectors

FEW = {"kind": "next-item", "filters": [{"kind": "labelled", "share": 0.1}]}
FADING = {"kind": "linear", "from": 1.0, "to": 0.2}


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A target, and the signals of a teacher that saw none of its events."""
    home = tmp_path_factory.mktemp("domains")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    films = write_domain(home / "films", "f", users=40, items=60, events=1000, seed=1)
    books = prepared(write_domain(home / "books", "b", users=60, items=50, events=1500, seed=2))
    there = write_vectors(prepared(films), home / "films.parquet")
    teacher = make_teacher(
        {
            "kind": "transfer",
            "source": {"source": str(films)},
            "teacher": {"kind": "features", "path": there, "head": HEAD, "training": TRAINING},
            "target": {"path": write_vectors(books, home / "books.parquet", seed=1)},
        }
    ).fit(books)
    patch.undo()
    return books, label(teacher, books, home / "signals", [TopK(k=20)])


def quality(taught, recipe) -> float:
    books, signals = taught
    student = SASRec.for_dataset(books, seed=0, width=8, blocks=1, history=10)
    training = TrainingConfig.model_validate({**TRAINING, "epochs": 10})
    distill(student, books, signals, recipe, training, RunOptions())
    return validation(student, books)()


@pytest.mark.slow  # three trainings on few labels
def test_few_labels_go_further_with_signals_from_elsewhere(taught):
    """At every context and at the ends of histories; the untaught student has the same tenth of the labels."""
    recipes = {
        "alone": {"objectives": [FEW]},
        "beside": {"objectives": [FEW, {"kind": "kl"}], "unlabelled": True},
        "before": {
            "phases": [
                {"objectives": [{"kind": "kl"}], "unlabelled": True},
                {"objectives": [FEW, {"kind": "kl", "weight": FADING}], "unlabelled": True},
            ]
        },
    }
    found = {name: quality(taught, recipe) for name, recipe in recipes.items()}
    assert found["beside"] > 1.4 * found["alone"]
    assert found["before"] > 1.1 * found["alone"]
