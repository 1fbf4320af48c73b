"""Items that come, change and go, against plain products of vectors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from started import started, wait_until

from recdistill.bundle.bundle import Bundle
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError, StorageError
from recdistill.serving.answering import Student, open_student
from recdistill.serving.beside import Beside
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.rules import NO_RULES
from recdistill.serving.shelf import Shelf
from recdistill.serving.stock.contract import Entry
from recdistill.serving.stock.store import StockStore

FILMS = [f"i{number:04d}" for number in range(40)]
WIDTH = 16


def loud(student: Student, history: list[str]) -> list[float]:
    """A vector that this history likes more than any film of the bundle."""
    state = student.bundle.runtime.states(Sequences.from_lists([student.catalogue.known(history)]))[
        0
    ]
    longest = np.linalg.norm(student.bundle.vectors, axis=1).max()
    return (state / np.linalg.norm(state) * longest * 3).tolist()


def listed(client, **body) -> list[str]:
    answer = client.post("/v1/recommend", body)
    assert answer.status_code == 200, answer.text
    return [one["item"] for one in answer.json()["items"]]


vectors = st.lists(
    st.floats(-3, 3, width=32, allow_subnormal=False), min_size=WIDTH, max_size=WIDTH
)
stocks = st.lists(
    st.tuples(st.sampled_from([*FILMS[:6], "new-1", "new-2", "new-3"]), st.none() | vectors),
    max_size=8,
)
some = st.lists(st.sampled_from([*FILMS[:12], "new-1", "new-2", "who?"]), max_size=10)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(stocks, some, some, st.none() | some, st.booleans(), st.integers(1, 50))
def test_lists_are_the_products_of_what_is_there_now(
    student, said, history, exclude, candidates, filter_seen, k
) -> None:
    """Every item scored by hand: the bundle's, without those removed, and those of the stock."""
    weights = student.bundle.info.model.weights
    last = dict(said)
    entries = [Entry(i, weights, vector=v, gone=v is None) for i, v in last.items()]
    now = student.dressed(NO_RULES, entries)
    table = dict(zip(FILMS, student.bundle.vectors, strict=True))
    for item, vector in last.items():
        if vector is not None:
            table[item] = np.array(vector, np.float32)
    # What was removed may stand in histories, but is not given.
    places = {item: place for place, item in enumerate(table)}
    rows = [places[item] for item in history if item in places]
    state = seen_state(student, np.array(list(table.values())), rows)
    gone = {item for item, vector in last.items() if vector is None}
    may = set(table) - gone - set(exclude) - (set(history) if filter_seen else set())
    if candidates is not None:
        candidates = [item for item in candidates if item in set(table) - gone]
        may &= set(candidates)
    request = RecommendRequest(
        history=history, k=k, filter_seen=filter_seen, candidates=candidates, exclude=exclude
    )
    told = now.recommend([request])[0]
    if history and not rows:
        assert told.cause == "unknown-history"
        assert {one.item for one in told.items} <= may
        return
    scores = {item: float(np.dot(table[item].astype(float), state)) for item in may}
    assert {one.item for one in told.items} <= may
    assert len(told.items) == min(k, len(may))
    for one in told.items:
        assert one.score == pytest.approx(scores[one.item], rel=1e-5, abs=1e-5)
    left = may - {one.item for one in told.items}
    if left and told.items:
        assert max(scores[item] for item in left) <= told.items[-1].score + 1e-5


def seen_state(student: Student, table: np.ndarray, rows: list[int]) -> np.ndarray:
    """The state of a history, by the model itself, of vectors picked by hand."""
    rows = rows[-8:]
    some = table[rows].reshape(1, len(rows), WIDTH) if rows else np.zeros((1, 1, WIDTH))
    feed = {"vectors": some.astype(np.float32), "lengths": np.array([len(rows)])}
    return student.bundle.runtime._session.run(["states"], feed)[0][0].astype(float)


def test_a_new_item_is_recommended_found_explained_and_removed(client, student) -> None:
    history = ["i0003", "i0008", "i0013"]
    new = {"item": "fresh", "title": "Fresh", "vector": loud(student, history)}
    answer = client.post("/v1/items", {"items": [new]})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": 1, "bundle": student.digest}
    told = client.post("/v1/recommend", {"history": history, "explain": True}).json()["items"]
    assert (told[0]["item"], told[0]["title"]) == ("fresh", "Fresh")
    assert told[0]["because"]
    after = client.post("/v1/recommend", {"history": [*history, "fresh"], "explain": True}).json()
    assert after["unknown"] == 0
    assert all(one["item"] != "fresh" for one in after["items"])
    assert any(why["title"] == "Fresh" for one in after["items"] for why in one["because"])
    near = client.post("/v1/similar", {"item": "fresh", "k": 3}).json()["items"]
    closest = closeness(student, np.array(new["vector"]))
    assert [one["item"] for one in near] == closest[:3]
    assert "fresh" in [
        one["item"]
        for one in client.post("/v1/similar", {"item": closest[0], "k": 39}).json()["items"]
    ]
    assert client.get("/version").json()["items"] == 41
    assert "recdistill_late_items 1.0" in client.get("/metrics").text
    assert client.ask("DELETE", "/v1/items/fresh").json()["status"] == "removed"
    assert "fresh" not in listed(client, history=history, k=50)
    assert client.post("/v1/similar", {"item": "fresh"}).status_code == 422
    assert client.get("/version").json()["items"] == 40


def closeness(student: Student, vector: np.ndarray) -> list[str]:
    table = student.bundle.vectors.astype(float)
    cosine = table @ vector / np.linalg.norm(table, axis=1) / np.linalg.norm(vector)
    return [FILMS[place] for place in np.argsort(-cosine, kind="stable")]


def test_like_others_is_the_mean_of_their_vectors(client, student) -> None:
    client.post("/v1/items", {"items": [{"item": "twin", "like": ["i0007"]}]})
    client.post("/v1/items", {"items": [{"item": "between", "like": ["i0007", "i0021"]}]})
    answer = client.post("/v1/recommend", {"history": ["i0001"], "k": 42, "filter_seen": False})
    score = {one["item"]: one["score"] for one in answer.json()["items"]}
    assert score["twin"] == score["i0007"]
    assert score["between"] == pytest.approx((score["i0007"] + score["i0021"]) / 2, abs=1e-5)


def test_a_removed_item_of_the_bundle_goes_everywhere_and_comes_back(client, student) -> None:
    history = ["i0002", "i0005"]
    first = listed(client, history=history, k=1)[0]
    neighbour = closeness(student, student.bundle.vectors[FILMS.index(first)])[1]
    assert client.ask("DELETE", f"/v1/items/{first}").status_code == 200
    assert first not in listed(client, history=history, k=50)
    near = client.post("/v1/similar", {"item": neighbour, "k": 50}).json()["items"]
    assert first not in [one["item"] for one in near]
    answer = client.post("/v1/recommend", {"history": [], "candidates": ["i0001", first]})
    assert (answer.status_code, answer.json()["field"]) == (422, "$.candidates[1]")
    assert "removed" in answer.json()["detail"]
    # Who took it took it: the history still says so.
    assert client.post("/v1/recommend", {"history": [first]}).json()["unknown"] == 0
    assert first not in listed(client, history=["who?"], k=50)  # nor is it popular any more
    assert client.post("/v1/items", {"items": [{"item": first}]}).status_code == 200
    assert listed(client, history=history, k=1) == [first]
    assert client.ask("DELETE", "/v1/items/never-there").status_code == 404


@pytest.mark.parametrize("name", ["search", "a/b", "?x=1#y", "é 日本"])
def test_odd_names_come_and_go(client, stock, name) -> None:
    assert (
        client.post("/v1/items", {"items": [{"item": name, "like": ["i0001"]}]}).status_code == 200
    )
    assert client.post("/v1/similar", {"item": name}).status_code == 200
    answer = client.ask("DELETE", f"/v1/items/{quote(name, safe='')}")
    assert answer.json() == {"item": name, "status": "removed"}
    assert stock.entries()[-1].gone


def test_a_title_may_change_without_a_vector(client) -> None:
    before = client.post("/v1/recommend", {"history": ["i0001"], "k": 40}).json()["items"]
    client.post("/v1/items", {"items": [{"item": "i0009", "title": "Renamed"}]})
    after = client.post("/v1/recommend", {"history": ["i0001"], "k": 40}).json()["items"]
    for old, new in zip(before, after, strict=True):
        assert new == old | ({"title": "Renamed"} if old["item"] == "i0009" else {})


@pytest.mark.parametrize(
    ("item", "kind", "field"),
    [
        ({"item": "x"}, "no-vector", "$.items[0]"),
        ({"item": "x", "vector": [1.0]}, "wrong-width", "$.items[0].vector"),
        ({"item": "x", "vector": [1e9] * WIDTH}, "invalid", "$.items[0].vector"),
        ({"item": "x", "text": "A film"}, "no-text-encoder", "$.items[0].text"),
        ({"item": "x", "like": ["i0001", "i00001"]}, "unknown-item", "$.items[0].like[1]"),
        ({"item": "x", "like": ["i0001"], "text": "x"}, "invalid", "$.items[0].like"),
    ],
)
def test_what_this_bundle_cannot_use_is_refused_and_says_what_is_possible(
    client, stock, item, kind, field
) -> None:
    answer = client.post("/v1/items", {"items": [item]})
    problem = answer.json()
    assert (answer.status_code, problem["type"].rpartition(":")[2]) == (422, kind)
    assert problem["field"] == field
    if kind not in ("invalid", "unknown-item"):
        assert "`vector` (16 numbers)" in problem["hint"]
        assert "`text`" not in problem["hint"]
    assert stock.entries() == []


def test_all_are_kept_or_none(client, stock) -> None:
    items = [{"item": "a", "like": ["i0001"]}, {"item": "b"}]
    assert client.post("/v1/items", {"items": items}).status_code == 422
    assert stock.entries() == []


def test_only_admins_change_items(serve, stock) -> None:
    client = serve(scopes=["recommend", "events", "metrics"], beside=Beside(stock))
    assert client.post("/v1/items", {"items": [{"item": "i0001"}]}).status_code == 403
    assert client.ask("DELETE", "/v1/items/i0001").status_code == 403
    assert serve().post("/v1/items", {}).status_code == 404


def test_items_survive_a_restart(serve, stock, student) -> None:
    history = ["i0003"]
    client = serve(beside=Beside(stock))
    client.post("/v1/items", {"items": [{"item": "fresh", "vector": loud(student, history)}]})
    client.ask("DELETE", "/v1/items/i0001")
    client.close()
    again = serve(beside=Beside(StockStore(stock.path)))
    found = listed(again, history=history, k=50)
    assert found[0] == "fresh"
    assert "i0001" not in found


def test_another_server_of_the_same_file_sees_them_within_seconds(serve, stock, student) -> None:
    one, other = serve(beside=Beside(stock)), serve(beside=Beside(StockStore(stock.path)))
    one.post("/v1/items", {"items": [{"item": "fresh", "vector": loud(student, ["i0003"])}]})
    began = time.monotonic()
    while listed(other, history=["i0003"], k=1) != ["fresh"]:
        assert time.monotonic() - began < 5
        time.sleep(0.05)


@pytest.fixture(scope="module")
def retrained(tiny_dataset, tmp_path_factory) -> Student:
    """Another model of the same catalogue."""
    from recdistill.bundle.export import export
    from recdistill.models.sasrec import SASRec

    model = SASRec.for_dataset(tiny_dataset, width=16, heads=2, blocks=1, history=8, seed=9)
    folder = tmp_path_factory.mktemp("retrained") / "bundle"
    export(model, tiny_dataset, folder)
    return open_student(folder)


def test_what_a_hot_swap_makes_of_items(student, retrained) -> None:
    """Removals and likenesses go along; a vector is of the model for which it was given, and waits for its return."""
    weights = student.bundle.info.model.weights
    entries = [
        Entry("i0001", weights, gone=True),
        Entry("twin", weights, like=["i0007"]),
        Entry("given", weights, vector=[1.0] * WIDTH),
        Entry("i0002", weights, title="Renamed"),
    ]
    shelf = Shelf(student)
    shelf.stock(entries)
    everything = RecommendRequest(history=["i0003"], k=60, filter_seen=False)

    def given() -> dict[str, tuple[float, str | None]]:
        told = shelf.student.recommend([everything])[0]
        return {one.item: (one.score, one.title) for one in told.items}

    before = given()
    assert set(before) == {*FILMS, "twin", "given"} - {"i0001"}
    assert before["i0002"][1] == "Renamed"
    shelf.put(retrained)
    after = given()
    assert shelf.student.overlay.waiting == 1
    assert set(after) == {*FILMS, "twin"} - {"i0001"}
    assert after["twin"][0] == after["i0007"][0]
    assert after["twin"][0] != before["twin"][0]
    assert after["i0002"][1] != "Renamed"  # the new bundle has read what it is called now
    shelf.put(student)
    assert given() == before


def test_a_bundle_that_reads_texts_reads_them_anew_at_every_swap(
    serve, stock, student, retrained, monkeypatch
) -> None:
    asked = []

    def encode(self, texts):
        asked.append((self.info.digest, list(texts)))
        return np.stack([self.vectors[len(text) % 40] for text in texts])

    monkeypatch.setattr(Bundle, "encode_items", encode, raising=False)
    client = serve(beside=Beside(stock))
    items = [{"item": "a", "text": "xxx"}, {"item": "b", "text": "xxxxx"}]
    assert client.post("/v1/items", {"items": items}).status_code == 200
    told = client.post("/v1/recommend", {"history": ["i0009"], "k": 60}).json()["items"]
    score = {one["item"]: one["score"] for one in told}
    assert (score["a"], score["b"]) == (score["i0003"], score["i0005"])
    shelf = Shelf(retrained)
    shelf.stock(stock.entries())
    assert {digest for digest, _ in asked} == {student.digest, retrained.digest}
    monkeypatch.setattr(
        Bundle, "encode_items", lambda self, texts: np.full((len(texts), WIDTH), np.nan)
    )
    with pytest.raises(BundleError, match="no vector"):
        Shelf(retrained).stock(stock.entries())


def test_a_full_stock_and_a_store_in_trouble_change_nothing(
    client, stock, monkeypatch, student
) -> None:
    monkeypatch.setattr("recdistill.serving.stocking.MOST", 2)
    items = [{"item": f"n{n}", "like": ["i0001"]} for n in range(3)]
    assert client.post("/v1/items", {"items": items}).status_code == 409
    assert client.post("/v1/items", {"items": items[:2]}).status_code == 200
    assert client.post("/v1/items", {"items": items[2:]}).status_code == 409
    assert client.post("/v1/items", {"items": items[:1]}).status_code == 200  # said again

    def fail(entries):
        raise StorageError("the disk is full")

    monkeypatch.setattr(stock, "put", fail)
    answer = client.post("/v1/items", {"items": items[:1]})
    assert (answer.status_code, "disk" in answer.text) == (503, False)


def _put_until_killed(path, acknowledged) -> None:
    store = StockStore(path)
    for number in range(100_000):
        store.put([Entry(f"n{number}", "w", gone=True)])
        acknowledged.value = number + 1


def test_what_is_acknowledged_survives_a_kill(tmp_path) -> None:
    context = multiprocessing.get_context("spawn")
    for life in range(3):
        acknowledged = context.Value("q", 0)
        path = tmp_path / f"{life}.sqlite"
        writer = context.Process(target=_put_until_killed, args=(path, acknowledged))
        writer.start()
        while acknowledged.value < 20 * (life + 1):
            assert writer.is_alive()
            time.sleep(0.005)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        kept = [entry.item for entry in StockStore(path).entries()]
        assert kept == [f"n{number}" for number in range(len(kept))]
        assert len(kept) >= acknowledged.value


def test_workers_tell_each_other_and_a_restart_remembers(bundle_folder, tmp_path) -> None:
    """Real processes on a real socket: an item comes, all workers give it; it goes, and none does."""
    where = ["--items", tmp_path / "items.sqlite", "--histories", "none"]

    def shown(server) -> set[bool]:
        body = {"history": ["i0003"], "k": 60}
        return {
            "fresh" in [one["item"] for one in server.once(body).body["items"]] for _ in range(12)
        }

    with started(bundle_folder, "--workers", 2, *where) as server, server.client() as http:
        assert shown(server) == {False}
        new = {"items": [{"item": "fresh", "like": ["i0007"]}]}
        assert http.post("/v1/items", json=new).status_code == 200
        assert wait_until(lambda: shown(server) == {True}) < 5
    with started(bundle_folder, *where) as server, server.client() as http:
        assert shown(server) == {True}
        assert http.delete("/v1/items/fresh").status_code == 200
        assert shown(server) == {False}
