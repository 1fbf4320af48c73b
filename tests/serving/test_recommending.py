"""Lists over HTTP are the lists of the bundle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.serving.answering import Student
from recdistill.serving.messages import RecommendRequest, SimilarRequest

FILMS = [f"i{number:04d}" for number in range(40)]
some_films = st.lists(st.sampled_from(FILMS), max_size=12)


def reference(student: Student, request: RecommendRequest) -> list[tuple[str, float]]:
    """Every item scored by the bundle's own verb, then filtered in plain Python."""
    frame = student.bundle.recommend([request.history], k=40, filter_seen=False)
    barred = {*request.exclude, *(request.history if request.filter_seen else ())}
    allowed = FILMS if request.candidates is None else request.candidates
    pairs = zip(frame["item_id"], frame["score"], strict=True)
    return [(i, s) for i, s in pairs if i in allowed and i not in barred][: request.k]


requests = st.builds(
    RecommendRequest,
    history=some_films,
    k=st.integers(1, 60),
    filter_seen=st.booleans(),
    candidates=st.none() | some_films,
    exclude=some_films,
)


@given(st.lists(requests, min_size=1, max_size=6))
def test_lists_are_those_of_the_bundle_however_requests_lie_together(student, batch) -> None:
    for request, told in zip(batch, student.recommend(batch), strict=True):
        expected = reference(student, request)
        assert [one.item for one in told.items] == [item for item, _ in expected]
        np.testing.assert_allclose(
            [one.score for one in told.items], [score for _, score in expected], atol=1e-5
        )


def test_a_list_says_titles_bundle_and_what_it_did_not_know(client, student) -> None:
    answer = client.post("/v1/recommend", {"history": ["i0003", "nobody", 7], "k": 3})
    assert answer.status_code == 200
    content = answer.json()
    assert content["bundle"] == student.digest
    assert content["unknown"] == 2
    assert len(content["items"]) == 3
    titles = dict(zip(student.bundle.items["item_id"], student.bundle.items["title"], strict=True))
    assert all(one["title"] == titles[one["item"]] for one in content["items"])


def test_numbers_and_texts_name_the_same_items(student) -> None:
    mixed = student.recommend([RecommendRequest(history=["i0001", 5])])
    assert mixed == student.recommend([RecommendRequest(history=["i0001", "5"])])


def test_a_batch_is_its_requests_one_by_one(client) -> None:
    bodies = [{"history": FILMS[:n], "k": 2 + n, "exclude": FILMS[20 : 20 + n]} for n in range(5)]
    together = client.post("/v1/recommend/batch", {"requests": bodies}).json()["answers"]
    for body, answer in zip(bodies, together, strict=True):
        alone = client.post("/v1/recommend", body).json()
        assert [one["item"] for one in alone["items"]] == [one["item"] for one in answer["items"]]


def test_neighbours_are_those_of_the_bundle(client, student) -> None:
    answer = client.post("/v1/similar", {"item": "i0004", "k": 5}).json()
    frame = student.bundle.similar_items(["i0004"], 5)
    assert [one["item"] for one in answer["items"]] == frame["similar_item_id"].to_list()
    assert student.similar(SimilarRequest("i0004", 1000)).items[0].item == frame[0, 1]


def test_an_unknown_item_is_named_with_its_nearest(client) -> None:
    for path, body in (
        ("/v1/similar", {"item": "i00004"}),
        ("/v1/recommend", {"history": [], "candidates": ["i0001", "i00004"]}),
    ):
        answer = client.post(path, body)
        assert answer.status_code == 422
        content = answer.json()
        assert content["type"] == "urn:recdistill:problem:unknown-item"
        assert "i00004" in content["detail"]
        assert "i0004" in content["hint"] or "i0000" in content["hint"]


@pytest.mark.parametrize("body", [{}, {"history": None}])
def test_somebody_must_be_named(client, body) -> None:
    answer = client.post("/v1/recommend", body)
    assert answer.status_code == 422
    assert "history" in answer.json()["detail"]
