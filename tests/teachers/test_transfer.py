"""What was learned on one domain speaks about another, through what the items are."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from recdistill.data.items import Items
from recdistill.errors import DataError
from recdistill.models.validation import validation
from recdistill.progress import LineProgress, SilentProgress
from recdistill.teachers import (
    FeatureTeacher,
    TransferTeacher,
    besides,
    load_teacher,
    make_teacher,
)
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.stand_in import stand_in
from recdistill.training.options import RunOptions
from tests.support.domains import HEAD, TRAINING, prepared, write_domain, write_vectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("domains")


@pytest.fixture(scope="module")
def films(folder):
    return write_domain(folder / "films", "f", users=40, items=60, events=1000, seed=1)


@pytest.fixture(scope="module")
def books(folder):
    return prepared(write_domain(folder / "books", "b", users=30, items=50, events=600, seed=2))


@pytest.fixture(autouse=True)
def cache(monkeypatch, folder):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def text(encoder, **settings):
    return {
        "kind": "text-encoder",
        "model": str(encoder),
        "head": HEAD,
        "training": TRAINING,
        **settings,
    }


@pytest.fixture
def config(films, tiny_encoder):
    def make(permuted: bool = False, **settings):
        inner = text(tiny_encoder, permuted=permuted, **settings)
        return {"kind": "transfer", "source": {"source": str(films)}, "teacher": inner}

    return make


def quality(teacher, dataset) -> float:
    return validation(teacher.recommender, dataset)()


def test_domains_share_nothing_but_words(films, books):
    there = pl.read_parquet(films / "log.parquet")
    assert not set(there["item_id"]) & set(books.vocabulary.ids)
    assert not set(there["user_id"]) & set(books.users.ids)


def test_it_ranks_what_comes_next_where_it_never_saw_an_event(config, books, tmp_path):
    """Far above chance, and above one that reads the wrong texts in both domains."""
    teacher = make_teacher(config()).fit(books)
    assert isinstance(teacher, TransferTeacher)
    chance = np.mean([1 / np.log2(rank + 1) if rank <= 10 else 0 for rank in range(1, 51)])
    found = quality(teacher, books)
    assert found > 2.5 * chance
    assert found > 2 * quality(make_teacher(config(permuted=True)).fit(books), books)
    teacher.save(tmp_path / "teacher")
    assert load_teacher(tmp_path / "teacher", books).identity() == teacher.identity()
    assert teacher.says == {"top-k", "item-vectors", "user-vectors", "hard-label"}


def test_everything_it_learned_is_the_sources(config, books, films, tiny_encoder):
    """Another set of target events changes nothing; every weight is that of a teacher of the source alone."""
    here = make_teacher(config()).fit(books).recommender.network.state_dict()
    half = replace(
        books, train=books.train.head(2) if hasattr(books.train, "head") else books.train
    )
    again = make_teacher(config()).fit(half).recommender.network.state_dict()
    there = FeatureTeacher(make_teacher(text(tiny_encoder)).config).fit(prepared(films))
    learned = there.recommender.network.state_dict()
    assert {name for name in here if not torch.equal(here[name], learned[name])} == {
        "items.features"
    }
    assert all(torch.equal(here[name], again[name]) for name in here)


def test_the_targets_texts_are_read_by_the_sources_standards(config, books, films, tiny_encoder):
    teacher = make_teacher(config(whiten=False)).fit(books)
    encoder = TextEncoder(tiny_encoder, max_tokens=128)
    ours, theirs = (
        encoder.encode(dataset.items.texts()).astype(np.float64)
        for dataset in (books, prepared(films))
    )
    scale = np.sqrt(((theirs - theirs.mean(0)) ** 2).mean())
    found = teacher.recommender.network.items.features
    np.testing.assert_allclose(found, (ours - theirs.mean(0)) / scale, atol=1e-4)
    assert np.abs(found.numpy().mean(0)).max() > 0.01, "the target's own mean would be 0"


def test_it_may_go_on_learning_here_and_resumes(config, books, tmp_path):
    adapting = {**config(), "adapt": {**TRAINING, "epochs": 3}}

    still, whole = (make_teacher(one).fit(books) for one in (config(), adapting))
    assert still.notes["source_revision"] == whole.notes["source_revision"]
    assert still.identity().revision != whole.identity().revision
    run = RunOptions(folder=tmp_path / "run", checkpoint_seconds=0.0, trackers=())
    with pytest.raises(KeyboardInterrupt):
        make_teacher(adapting).fit(books, replace(run, progress=Stopper()))
    files = [*(tmp_path / "run/source").rglob("*"), *(tmp_path / "run/adapt").rglob("*")]
    trained = {path: path.read_bytes() for path in files if path.suffix == ".safetensors"}
    assert {path.relative_to(tmp_path).parts[1] for path in trained} == {"source", "adapt"}
    again = make_teacher(adapting).fit(books, run)
    assert again.identity() == whole.identity()
    there = {path: known for path, known in trained.items() if "source" in path.parts}
    assert all(path.read_bytes() == known for path, known in there.items()), "not trained twice"


class Stopper(SilentProgress):
    """Stops in the middle of adapting."""

    @contextmanager
    def task(self, name, total=None, unit="", done=0):
        yield Stopping() if "adapt" in name else SimpleNamespace(advance=lambda *_, **__: None)


class Stopping:
    def __init__(self):
        self.left = 5

    def advance(self, amount=1, **figures):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_who_it_is_hinges_on_the_source(config, films, books, folder):
    teacher = make_teacher(config()).fit(books)
    source = prepared(films)
    assert teacher.notes["source"]["fingerprint"] == source.fingerprint
    assert teacher.identity().name.endswith(f"from {films}")
    other = write_domain(folder / "other" / "films", "f", users=40, items=60, events=990, seed=1)
    moved = {**config(), "source": {"source": str(other)}}
    one, two = (besides(make_teacher(settings).config) for settings in (config(), moved))
    assert len(one) == 1
    assert one != two
    assert stand_in(teacher.config).config.width == HEAD["width"]


def test_a_transfer_to_itself_is_told(config, films, tmp_path):
    with (tmp_path / "log").open("w") as stream:
        run = RunOptions(progress=LineProgress(stream))
        teacher = make_teacher(config()).fit(prepared(films), run)
    assert "nothing was transferred" in (tmp_path / "log").read_text()
    assert "nothing was transferred" in teacher.notes["remarks"][0]


def test_vectors_of_both_domains_may_come_from_files(films, books, tmp_path):
    there = write_vectors(prepared(films), tmp_path / "films.parquet")
    here = write_vectors(books, tmp_path / "books.parquet", seed=1)
    inner = {"kind": "features", "path": there, "head": HEAD, "training": TRAINING}
    settings = {
        "kind": "transfer",
        "source": {"source": str(films)},
        "teacher": inner,
        "target": {"path": here},
    }
    teacher = make_teacher(settings).fit(books)
    blind = make_teacher({**settings, "teacher": {**inner, "permuted": True}}).fit(books)
    assert quality(teacher, books) > 2 * quality(blind, books)
    assert len(besides(teacher.config)) == 3


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"teacher": {"kind": "text-encoder", "offsets": True}}, "offsets"),
        ({"teacher": {"kind": "features", "path": "a.npz"}}, "needs a `target`"),
        ({"target": {"path": "a.npz"}}, "`target` is for a teacher of kind `features`"),
        ({"teacher": {"kind": "recommender", "model": {"kind": "sasrec"}}}, "recommender"),
    ],
)
def test_what_cannot_be_transferred_is_refused(changes, complaint):
    with pytest.raises(ValidationError, match=complaint):
        make_teacher({"kind": "transfer", "source": {"source": "movielens-100k"}, **changes})


def test_a_target_without_text_is_refused(config, books):
    blank = books.items.frame.with_columns(pl.lit(None, dtype=pl.String).alias("title"))
    dataset = replace(books, items=Items(blank, "{title}"))
    with pytest.raises(DataError, match="No item has any text"):
        make_teacher(config()).fit(dataset)
