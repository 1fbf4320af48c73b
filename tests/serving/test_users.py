"""Events, histories and users over HTTP; nobody is named inside."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time

import pytest

from recdistill.errors import StorageError
from recdistill.serving.messages import RecommendRequest

CANARIES = ("canary-user-41", "canary-event-42", "i0007")


def events(*items, user="ann", start=0):
    return {
        "events": [
            {"id": f"{user}-{start + n}", "user": user, "item": item, "at": float(start + n)}
            for n, item in enumerate(items)
        ]
    }


def test_a_user_gets_what_their_history_gets(client, student) -> None:
    answer = client.post("/v1/events", events("i0001", "i0006", "i0011"))
    assert answer.json() == {"acknowledged": 3, "new": 3}
    told = client.post("/v1/recommend", {"user": "ann", "k": 5}).json()
    expected = student.recommend([RecommendRequest(history=["i0001", "i0006", "i0011"], k=5)])[0]
    assert [one["item"] for one in told["items"]] == [one.item for one in expected.items]
    assert told["degraded"] is False
    stranger = client.post("/v1/recommend", {"user": "bob", "k": 5}).json()
    newcomer = client.post("/v1/recommend", {"history": [], "k": 5}).json()
    assert stranger == newcomer


def test_events_count_once_however_often_they_are_sent(client) -> None:
    body = events("i0001", "i0002")
    first, again = (client.post("/v1/events", body).json() for _ in range(2))
    assert (first["new"], again["new"]) == (2, 0)
    assert again["acknowledged"] == 2
    assert len(client.get("/v1/users/ann").json()["events"]) == 2
    clash = client.post("/v1/events", {"events": [{"id": "ann-1", "user": "bob", "item": "i0002"}]})
    assert clash.status_code == 409
    assert clash.json()["field"] == "$.events[0].id"


def test_requests_at_once_share_flushes_of_the_disk(client, store, monkeypatch) -> None:
    """While the first is being flushed 39 more come: they make one transaction, and each gets its own answer."""
    whole, flushes, go = store.histories.append_many, [], threading.Event()

    def slow(requests):
        flushes.append(len(requests))
        go.wait(10)
        return whole(requests)

    monkeypatch.setattr(store.histories, "append_many", slow)

    async def send(http):
        bodies = [events("i0001", "i0002", user=f"u{n}") for n in range(39)]
        clash = {"events": [{"id": "u0-0", "user": "other", "item": "i0001"}]}
        tasks = [asyncio.ensure_future(http.post("/v1/events", json=b)) for b in [*bodies, clash]]
        await asyncio.sleep(0.2)
        go.set()
        return [
            (answer.status_code, answer.json().get("new"))
            for answer in await asyncio.gather(*tasks)
        ]

    assert client.run(send) == [(200, 2)] * 39 + [(409, None)]
    assert flushes == [1, 39]


def test_users_see_and_are_forgotten(client) -> None:
    odd = "ann/../b?c d%ö"
    client.post("/v1/events", events("i0001", "i0002", user=odd))
    client.post("/v1/events", events("i0003", user="bob"))
    address = "/v1/users/" + "".join(f"%{byte:02X}" for byte in odd.encode())
    told = client.get(address).json()
    assert told == {"events": [{"item": "i0001", "at": 0.0}, {"item": "i0002", "at": 1.0}]}
    assert client.ask("DELETE", address).json() == {"events": 2}
    assert client.get(address).json() == {"events": []}
    assert len(client.get("/v1/users/bob").json()["events"]) == 1


def test_a_batch_mixes_users_and_histories(client) -> None:
    client.post("/v1/events", events("i0001", "i0006"))
    client.post("/v1/events", events("i0011", user="bob"))
    bodies = [{"user": "bob"}, {"history": ["i0003"]}, {"user": "ann"}, {"user": "nobody"}]
    together = client.post("/v1/recommend/batch", {"requests": bodies}).json()["answers"]
    alone = [client.post("/v1/recommend", body).json() for body in bodies]
    plain = [["i0011"], ["i0003"], ["i0001", "i0006"], []]
    told = [client.post("/v1/recommend", {"history": history}).json() for history in plain]
    for answers in (together, alone, told):
        assert [[one["item"] for one in each["items"]] for each in answers] == [
            [one["item"] for one in each["items"]] for each in told
        ]


@pytest.mark.parametrize("body", [{}, {"history": [], "user": "ann"}])
def test_either_a_history_or_a_user(client, body) -> None:
    answer = client.post("/v1/recommend", body)
    assert answer.status_code == 422
    answer = client.post("/v1/recommend/batch", {"requests": [{"history": []}, body]})
    assert answer.json()["field"] == "$.requests[1]"


def test_without_a_store_nothing_is_known_of_users(serve) -> None:
    client = serve()
    assert client.post("/v1/events", events("i0001")).status_code == 404
    answer = client.post("/v1/recommend", {"user": "ann"})
    assert answer.status_code == 422
    assert "keeps no histories" in answer.json()["detail"]


@pytest.mark.parametrize("trouble", ["refuses", "hangs"])
def test_a_store_in_trouble_degrades_recommendations_and_refuses_events(
    serve, store, monkeypatch, trouble
) -> None:
    client = serve(store=store, patience=0.1, deadline=3.0)

    def fail(*arguments):
        if trouble == "refuses":
            raise StorageError("the disk is full")
        time.sleep(1.0)

    for verb in ("append_many", "latest"):
        monkeypatch.setattr(store.histories, verb, fail)
    told = client.post("/v1/recommend", {"user": "ann", "k": 3})
    assert told.status_code == 200
    assert told.json()["degraded"] is True
    plain = client.post("/v1/recommend", {"history": [], "k": 3}).json()
    assert plain["items"] == told.json()["items"]
    assert plain["degraded"] is False
    if trouble == "refuses":
        answer = client.post("/v1/events", events("i0001"))
        assert answer.status_code == 503
        assert "disk" not in answer.text
        assert int(answer.headers["retry-after"]) > 0


def test_no_raw_id_and_no_key_in_stores_journal_or_metrics(serve, store, tmp_path) -> None:
    """Planted strings, through every operation that takes them, in every way that goes wrong."""
    journal = io.StringIO()
    client = serve(store=store, journal=journal)
    user, event, item = CANARIES
    sent = {"id": event, "user": user, "item": item}
    metrics = []
    for body in (
        {"events": [sent]},
        {"events": [sent | {"item": "i0008"}]},
        {"events": [{user: 1}]},
    ):
        client.post("/v1/events", body)
    client.post("/v1/recommend", {"user": user})
    client.post("/v1/similar", {"item": user})
    client.get(f"/v1/users/{user}")
    client.get(f"/{user}?{event}", headers={"authorization": f"Bearer {user}", "x-user": user})
    client.ask("PUT", f"/v1/users/{user}")
    metrics.append(client.get("/metrics").text)
    client.ask("DELETE", f"/v1/users/{user}")
    client.post("/v1/events", {"events": [sent]})
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    written = [journal.getvalue(), *metrics, *(data.decode("latin-1") for data in files)]
    assert len(files) >= 2
    for canary in (user, event, client.token, client.token.split("_", 2)[2]):
        assert not any(canary in text for text in written), canary
    assert any(item in text for text in written)  # the search would find what is there


def test_the_journal_tells_what_was_done(serve) -> None:
    journal = io.StringIO()
    client = serve(journal=journal)
    answer = client.post("/v1/recommend", {"history": ["i0001"]})
    client.post("/v1/recommend", {"k": 0})
    begun, good, bad = map(json.loads, journal.getvalue().splitlines())
    assert begun["what"] == "bundle"
    assert good["request"] == answer.headers["x-request-id"]
    assert (good["operation"], good["status"]) == ("post_v1_recommend", 200)
    assert good["key"] == client.token.split("_")[1]
    assert good["ms"] > 0
    assert (bad["status"], bad["problem"]) == (422, "invalid")


def test_a_failure_is_written_without_its_words(serve, student, monkeypatch) -> None:
    from recdistill.serving.answering import Student

    def fail(self, requests):
        raise ValueError("the words of canary-user-41")

    monkeypatch.setattr(Student, "recommend", fail)
    monkeypatch.setitem(student.__dict__, "popular", None)
    journal = io.StringIO()
    client = serve(journal=journal)
    answer = client.post("/v1/recommend", {"history": []})
    assert answer.status_code == 500
    assert "canary" not in answer.text + journal.getvalue()
    told = json.loads(journal.getvalue().splitlines()[1])
    assert told["error"] == "ValueError"
    assert any("fail" in place for place in told["at"])


def test_metrics_count_what_was_asked(serve, student) -> None:
    client = serve(scopes=["recommend", "metrics"])
    for history in ([], ["i0001", "who?"], ["i0002"]):
        client.post("/v1/recommend", {"history": history, "k": 2})
    client.post("/v1/recommend", {"k": 0})
    client.post("/v1/recommend", {"history": [], "candidates": []})
    text = client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    counted = 'recdistill_requests_total{operation="post_v1_recommend",status="%d"}'
    assert (values[counted % 200], values[counted % 422]) == ("4.0", "1.0")
    assert values["recdistill_lists_total"] == "4.0"
    assert values["recdistill_empty_lists_total"] == "1.0"
    assert values["recdistill_unknown_items_total"] == "1.0"
    assert 2 <= float(values["recdistill_covered_items"]) <= 6
    assert values["recdistill_catalogue_items"] == "40.0"
    assert values[f'recdistill_bundle_info{{bundle="{student.digest}"}}'] == "1.0"
    seconds = 'recdistill_request_seconds_count{operation="post_v1_recommend"}'
    assert values[seconds] == "5.0"
