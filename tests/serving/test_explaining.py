"""Reasons are what the score loses: asked of the bundle itself, one event at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.serving.explaining import leave_one_out
from recdistill.serving.messages import RecommendRequest

FILMS = [f"i{number:04d}" for number in range(40)]


def scores(student, history: list[str]) -> dict[str, float]:
    """Every film's score by the bundle's own verb."""
    frame = student.bundle.recommend([history], k=40, filter_seen=False)
    return dict(zip(frame["item_id"], frame["score"], strict=True))


@settings(max_examples=15)
@given(
    st.lists(st.integers(0, 39), min_size=1, max_size=8),
    st.lists(st.integers(0, 39), min_size=1, max_size=5, unique=True),
)
def test_gains_are_differences_of_scores(student, history, items) -> None:
    gains = leave_one_out(student.bundle.runtime, history, items)
    whole = scores(student, [FILMS[one] for one in history])
    for place in range(len(history)):
        less = scores(student, [FILMS[one] for one in history[:place] + history[place + 1 :]])
        expected = [whole[FILMS[item]] - less[FILMS[item]] for item in items]
        np.testing.assert_allclose(gains[place], expected, atol=1e-5)


def test_no_event_matters_more_than_the_first_reason(client, student) -> None:
    """Faithful: taking the first reason away costs the item more than taking any other event."""
    history = [FILMS[one] for one in (3, 8, 13, 18, 20, 25)]
    body = {"history": history, "k": 5, "explain": True}
    told = client.post("/v1/recommend", body).json()["items"]
    plain = client.post("/v1/recommend", body | {"explain": False}).json()["items"]
    assert [(one["item"], one["score"]) for one in told] == [
        (one["item"], one["score"]) for one in plain
    ]
    assert all(one["because"] is None for one in plain)
    for one in told:
        gains = [reason["gain"] for reason in one["because"]]
        assert gains == sorted(gains, reverse=True)
        assert all(gain > 0 for gain in gains)
        falls = {
            event: one["score"] - scores(student, [e for e in history if e != event])[one["item"]]
            for event in history
        }
        best = max(falls.values())
        if best > 1e-4:
            assert falls[one["because"][0]["item"]] == pytest.approx(best, abs=1e-5)
    assert any(one["because"] for one in told)


def test_events_before_the_window_are_no_reasons(student) -> None:
    """The student sees eight events: what lies before them changes nothing and is not named."""
    recent = FILMS[10:18]
    request = RecommendRequest(history=[*FILMS[20:30], *recent], k=5, explain=True)
    for one in student.recommend([request])[0].items:
        assert {reason.item for reason in one.because} <= set(recent)


def test_somebody_new_has_no_reasons_and_large_questions_are_refused(client) -> None:
    answer = client.post("/v1/recommend", {"history": [], "k": 2, "explain": True}).json()
    assert [one["because"] for one in answer["items"]] == [[], []]
    answer = client.post("/v1/recommend", {"history": [], "k": 51, "explain": True})
    assert (answer.status_code, answer.json()["field"]) == (422, "$.k")
    body = {"requests": [{"history": []}, {"history": [], "explain": True}]}
    answer = client.post("/v1/recommend/batch", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "$.requests[1].explain")
