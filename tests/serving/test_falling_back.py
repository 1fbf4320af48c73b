"""A model that says nothing costs nobody a list: what is popular, and marked as such."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.serving.answering import Student
from recdistill.serving.popular import Popular

FILMS = [f"i{number:04d}" for number in range(40)]


@pytest.fixture(scope="module")
def taken(tiny_dataset) -> Counter[str]:
    """How often each film was taken in training, counted from the log."""
    ids = tiny_dataset.vocabulary.ids.to_list()
    return Counter(ids[item] for item in tiny_dataset.train.items.tolist())


def popular(taken: Counter[str], k: int, without: set[str] = frozenset()) -> list[str]:
    """By count, then by id: from the log itself."""
    ranked = sorted(FILMS, key=lambda film: (-taken[film], film))
    return [film for film in ranked if film not in without][:k]


def items(answer) -> list[str]:
    return [one["item"] for one in answer.json()["items"]]


@pytest.fixture
def broken(monkeypatch):
    def fail(self, requests):
        raise ValueError("the words of canary-user-41")

    monkeypatch.setattr(Student, "recommend", fail)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.sets(st.integers(0, 11), max_size=5),
    st.none() | st.sets(st.integers(0, 11), max_size=8),
    st.integers(1, 15),
)
def test_the_most_popular_that_may_be_given(counts, barred, allowed, k) -> None:
    """Against sorting what may be given."""
    inside = None if allowed is None else np.array(sorted(allowed & set(range(len(counts)))), int)
    ranked = Popular(np.array(counts)).best(k, barred, inside)
    may = set(range(len(counts))) - barred
    may = may if allowed is None else may & allowed
    expected = sorted(may, key=lambda item: (-counts[item], item))[:k]
    assert ranked.items == expected
    np.testing.assert_allclose(
        ranked.scores, [counts[item] / max(sum(counts), 1) for item in expected], rtol=1e-6
    )


def test_a_history_of_which_nothing_is_known_gets_what_is_popular(client, taken) -> None:
    answer = client.post("/v1/recommend", {"history": ["who?", "what?"], "k": 7})
    told = answer.json()
    assert (told["degraded"], told["cause"], told["unknown"]) == (True, "unknown-history", 2)
    assert items(answer) == popular(taken, 7)
    top = told["items"][0]
    assert top["score"] == pytest.approx(taken[top["item"]] / taken.total(), rel=1e-6)


def test_somebody_new_is_no_fallback(client) -> None:
    """The model has a word for them; one item that is known is enough, too."""
    for history in ([], ["who?", "i0003"]):
        told = client.post("/v1/recommend", {"history": history}).json()
        assert (told["degraded"], told["cause"]) == (False, None)


def test_in_a_batch_only_who_needs_it_falls_back(client) -> None:
    bodies = [{"history": ["i0001"]}, {"history": ["who?"]}, {"history": []}]
    answers = client.post("/v1/recommend/batch", {"requests": bodies}).json()["answers"]
    assert [one["degraded"] for one in answers] == [False, True, False]
    alone = client.post("/v1/recommend", bodies[0]).json()
    assert answers[0] == alone


def test_a_model_that_fails_costs_nobody_a_list(serve, broken, taken) -> None:
    journal = io.StringIO()
    client = serve(journal=journal)
    history = popular(taken, 3)
    body = {"history": history, "k": 4, "exclude": popular(taken, 4)[-1:], "explain": True}
    answer = client.post("/v1/recommend", body)
    assert answer.status_code == 200
    assert (answer.json()["degraded"], answer.json()["cause"]) == (True, "model")
    assert items(answer) == popular(taken, 4, set(popular(taken, 4)))
    assert all(one["because"] == [] for one in answer.json()["items"])
    candidates = ["i0011", "i0002", "i0038"]
    answer = client.post("/v1/recommend", {"history": [], "candidates": candidates})
    assert items(answer) == [film for film in popular(taken, 40) if film in candidates]
    assert "canary" not in journal.getvalue()
    failures = [json.loads(line) for line in journal.getvalue().splitlines()]
    assert [one["error"] for one in failures if one["what"] == "failure"] == ["ValueError"] * 2


def test_bad_requests_stay_bad(client, broken) -> None:
    answer = client.post("/v1/recommend", {"history": [], "candidates": ["i00011"]})
    assert answer.status_code == 422
    assert "Did you mean" in answer.json()["hint"]


def test_a_model_that_hangs_is_not_waited_for_longer_than_the_deadline(
    serve, monkeypatch, taken
) -> None:
    released = threading.Event()
    monkeypatch.setattr(Student, "recommend", lambda self, requests: released.wait(10))
    client = serve(deadline=0.4)
    began = time.monotonic()
    answer = client.post("/v1/recommend", {"history": ["i0001"], "k": 5})
    took = time.monotonic() - began
    released.set()
    assert (answer.status_code, answer.json()["cause"]) == (200, "deadline")
    assert items(answer) == popular(taken, 5, {"i0001"})
    assert 0.3 < took < 2


def test_fallbacks_are_counted_by_cause(serve, broken) -> None:
    client = serve()
    for _ in range(3):
        client.post("/v1/recommend", {"history": []})
    text = client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["recdistill_degraded_lists_total"] == "3.0"
    assert values['recdistill_fallback_lists_total{cause="model"}'] == "3.0"


def test_a_bundle_that_does_not_count_events_fails_as_it_did(
    serve, student, broken, monkeypatch
) -> None:
    monkeypatch.setitem(student.__dict__, "popular", None)
    assert serve().post("/v1/recommend", {"history": []}).status_code == 500
