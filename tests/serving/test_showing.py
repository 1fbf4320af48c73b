"""Finding items, and what a teacher said: against plain Python and the teacher itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.sequences import Sequences
from recdistill.errors import SignalError
from recdistill.models.sasrec import SASRec
from recdistill.serving.beside import Beside
from recdistill.serving.rules import Rule, Rules
from recdistill.serving.teacher import StoredTeacher
from recdistill.signals import TopK
from recdistill.teachers import RecommenderTeacher, label

FILMS = [f"i{number:04d}" for number in range(40)]
KINDS = ("crime", "romance", "western", "space", "music")


@pytest.fixture(scope="session")
def run(tiny_dataset, tmp_path_factory):
    """A run's folder, and the model that taught."""
    folder = tmp_path_factory.mktemp("taught") / "run"
    model = SASRec.for_dataset(tiny_dataset, width=8, heads=1, blocks=1, history=50, seed=8)
    label(RecommenderTeacher.around(model), tiny_dataset, folder / "signals", [TopK(k=25)])
    (folder / "dataset").symlink_to(tiny_dataset.folder)
    return folder, model


def search(client, text: str, k: int = 100) -> list[str]:
    found = client.post("/v1/items/search", {"text": text, "k": k})
    assert found.status_code == 200, found.text
    return [one["item"] for one in found.json()["items"]]


words = st.lists(
    st.sampled_from(["the", "MUSIC", "space", "3", "story 1", "x"]), min_size=1, max_size=3
)


@given(words.map(" ".join))
def test_items_are_found_whose_titles_hold_all_the_words(student, text) -> None:
    titles = {film: f"the {KINDS[n % 5]} story {n} {film}" for n, film in enumerate(FILMS)}
    expected = [film for film in FILMS if all(w in titles[film] for w in text.lower().split())]
    found = student.own.search.find(text, 100, student.catalogue)
    assert sorted(found) == [FILMS.index(film) for film in expected]
    counts = student.bundle.items["train_events"].to_list()
    assert found == sorted(found, key=lambda item: (-counts[item], item))


def test_search_knows_ids_and_what_came_changed_and_went(client) -> None:
    assert search(client, "i0031") == ["i0031"]
    assert search(client, "I0031")[0] == "i0031"
    items = [
        {"item": "fresh", "title": "A Brand New Thing", "like": ["i0001"]},
        {"item": "i0002", "title": "Brand and Sword"},
    ]
    client.post("/v1/items", {"items": items})
    assert search(client, "brand") == ["fresh", "i0002"]
    assert search(client, "new brand") == ["fresh"]
    client.ask("DELETE", "/v1/items/fresh")
    client.ask("DELETE", "/v1/items/i0031")
    assert search(client, "brand") == ["i0002"]
    assert search(client, "i0031") == []
    assert client.post("/v1/items/search", {"text": ""}).status_code == 422


def test_the_stored_lists_are_the_teachers(run, serve, tiny_dataset) -> None:
    """Items and probabilities against the model, asked directly."""
    folder, model = run
    client = serve(beside=Beside(teacher=StoredTeacher(folder)))
    told = client.get("/v1/examples").json()
    assert told["teacher"]
    assert len(told["examples"]) > 5
    places = {film: place for place, film in enumerate(FILMS)}
    for example in told["examples"]:
        history = [one["item"] for one in example["history"]]
        body = {"history": history, "k": 20, "filter_seen": False}
        answer = client.post("/v1/teacher", body).json()
        assert answer["asked"] is True
        state = model.states(Sequences.from_lists([[places[film] for film in history]]))
        scores = (state @ model.item_table().T)[0].detach()
        chances = torch.softmax(scores.double(), dim=0)
        given = [places[one["item"]] for one in answer["items"]]
        np.testing.assert_allclose(scores[given], scores.sort(descending=True)[0][:20], atol=1e-5)
        np.testing.assert_allclose(
            [one["score"] for one in answer["items"]], chances[given], rtol=5e-3
        )


def test_a_teacher_keeps_to_what_the_request_allows(run, serve) -> None:
    folder, _ = run
    rules = Rules({"tender": Rule(allow={"genres": ("romance", "music")})})
    client = serve(beside=Beside(rules=rules, teacher=StoredTeacher(folder)))
    example = client.get("/v1/examples").json()["examples"][0]["history"]
    history = [one["item"] for one in example]
    whole = {"history": history, "k": 25, "filter_seen": False}
    every = [one["item"] for one in client.post("/v1/teacher", whole).json()["items"]]
    body = {"history": history, "k": 3, "rules": ["tender"], "exclude": every[:4]}
    told = [one["item"] for one in client.post("/v1/teacher", body).json()["items"]]
    barred = {*history, *every[:4]}
    tender = [f for f in every if KINDS[int(f[1:]) % 5] in ("romance", "music")]
    assert told == [film for film in tender if film not in barred][:3]


def test_about_what_it_was_not_asked_it_says_nothing(run, serve) -> None:
    client = serve(beside=Beside(teacher=StoredTeacher(run[0])))
    for history in ([], ["who?"], ["i0039", "i0001", "i0038", "i0002", "i0037"] * 4):
        answer = client.post("/v1/teacher", {"history": history}).json()
        assert (answer["asked"], answer["items"]) == (False, [])
    assert client.post("/v1/teacher", {"user": "ann"}).status_code == 422


def test_without_a_teacher_there_is_nothing_to_take(client) -> None:
    assert client.get("/v1/examples").json() == {"examples": [], "teacher": None}
    assert client.post("/v1/teacher", {"history": []}).status_code == 404


def test_signals_of_other_data_are_refused(run, make_dataset, tmp_path) -> None:
    folder, _ = run
    other = make_dataset(tmp_path, seed=5)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "dataset").symlink_to(other.folder)
    (mixed / "signals").symlink_to(folder / "signals")
    with pytest.raises(SignalError):
        StoredTeacher(mixed)
