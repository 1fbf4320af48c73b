"""What the server takes: types, caps, and bodies that mean harm."""

from __future__ import annotations

import asyncio
import json

import pytest

from recdistill.serving.messages import LONGEST_HISTORY, MOST_REQUESTS
from recdistill.serving.wire import PROBLEM

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"history": [], "k": 0}, "$.k"),
        ({"history": [], "k": 1001}, "$.k"),
        ({"history": [], "k": 1.5}, "$.k"),
        ({"history": [], "k": "ten"}, "$.k"),
        ({"history": "i0001"}, "$.history"),
        ({"history": [None]}, "$.history[0]"),
        ({"history": [""]}, "$.history[0]"),
        ({"history": [-1]}, "$.history[0]"),
        ({"history": ["x" * 257]}, "$.history[0]"),
        ({"history": ["i0001"] * (LONGEST_HISTORY + 1)}, "$.history"),
        ({"history": [], "filter_seen": "yes"}, "$.filter_seen"),
        ([], "$"),
        (None, "$"),
    ],
)
def test_a_request_of_the_wrong_shape_is_told_where(client, body, field) -> None:
    answer = client.post("/v1/recommend", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["field"] == field


def test_a_mistyped_field_is_told_its_nearest(client) -> None:
    answer = client.post("/v1/recommend/batch", {"requests": [{"histroy": []}]})
    assert answer.status_code == 422
    assert "'history'" in answer.json()["hint"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{'history': []}", b"\xff\xfe", b'{"history": [1e999]}', b"NaN"]
)
def test_what_is_no_json_is_refused(client, content) -> None:
    answer = client.post("/v1/recommend", content=content, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "opening", [b'{"history": ', b'{"no such": ', b'{"history": [], "k": ', b""]
)
@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_deep_bodies_are_refused_where_they_leave_the_type(client, opening, bracket) -> None:
    depth = 900_000 // len(bracket)
    answer = client.post("/v1/recommend", content=opening + bracket * depth, headers=JSON)
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 2000


def test_bodies_are_capped_with_and_without_a_length(serve) -> None:
    client = serve(body=1000)
    whole = json.dumps({"history": ["i0001"] * 200}).encode()

    async def parts():
        for start in range(0, len(whole), 100):
            yield whole[start : start + 100]

    for content in (whole, parts()):
        answer = client.post("/v1/recommend", content=content, headers=JSON)
        assert answer.status_code == 413
    fitting = client.post("/v1/recommend", content=whole[:900], headers=JSON)
    assert fitting.status_code == 400


def test_a_body_that_never_ends_is_given_up(serve) -> None:
    client = serve(arrival=0.05)

    async def drip():
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    answer = client.post("/v1/recommend", content=drip(), headers=JSON)
    assert answer.status_code == 408


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {}, JSON | {"content-encoding": "gzip"}],
)
def test_other_types_and_packed_bodies_are_refused(client, headers) -> None:
    answer = client.post("/v1/recommend", content=b'{"history": []}', headers=headers)
    assert answer.status_code == 415


def test_batches_are_capped(client) -> None:
    body = {"requests": [{"history": []}] * (MOST_REQUESTS + 1)}
    assert client.post("/v1/recommend/batch", body).status_code == 422
    assert client.post("/v1/recommend/batch", {"requests": []}).status_code == 422


def test_an_answer_that_takes_too_long_is_given_up_and_more_than_fit_are_turned_away(
    serve, student, monkeypatch
) -> None:
    """Three requests for two places before a student that sleeps: one refused at once, two at the deadline, where
    there is nothing to fall back to.
    """
    import threading
    import time

    from recdistill.serving.answering import Student

    client, slept = serve(deadline=0.3, waiting=2), threading.Event()
    monkeypatch.setattr(Student, "recommend", lambda self, requests: slept.wait(5))
    monkeypatch.setitem(student.__dict__, "popular", None)

    async def three(http):
        async def one():
            began = time.monotonic()
            answer = await http.post("/v1/recommend", json={"history": []})
            return answer, time.monotonic() - began

        return await asyncio.gather(one(), one(), one())

    answers = sorted(client.run(three), key=lambda pair: pair[1])
    slept.set()
    assert [answer.status_code for answer, _ in answers] == [503] * 3
    kinds = [answer.json()["type"].rpartition(":")[2] for answer, _ in answers]
    assert kinds == ["busy", "deadline", "deadline"]
    assert all(answer.headers["retry-after"] == "1" for answer, _ in answers)
    assert answers[0][1] < 0.2 < answers[1][1]
