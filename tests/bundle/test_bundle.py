"""The verbs of a loaded bundle, against PyTorch and against what must not matter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.bundle.bundle import Bundle
from recdistill.data.columns import EVENTS
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError, DataError
from recdistill.models.sasrec import SASRec

ITEMS = [f"i{number:04d}" for number in range(40)]
histories = st.lists(st.lists(st.sampled_from(ITEMS), max_size=20), min_size=1, max_size=6)
shared = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def same(ours: pl.DataFrame, theirs: pl.DataFrame) -> None:
    """Equal lists and scores; neighbours that float32 cannot tell apart may stand in either order."""
    assert ours.schema == theirs.schema
    assert ours["user_id"].equals(theirs["user_id"])
    assert ours["rank"].equals(theirs["rank"])
    gaps = (ours["score"] - theirs["score"]).abs()
    assert gaps.max() is None or gaps.max() < 1e-5
    differing = ours.filter(ours["item_id"] != theirs["item_id"])
    for row in differing.to_dicts():
        twin = theirs.filter(
            (pl.col("user_id") == row["user_id"]) & (pl.col("item_id") == row["item_id"])
        )
        assert abs(twin["score"][0] - row["score"]) < 1e-5


@shared
@given(asked=histories, k=st.integers(1, 50), filter_seen=st.booleans(), data=st.data())
def test_answers_as_the_student(
    bundle: Bundle, student: SASRec, asked: list, k: int, filter_seen: bool, data: st.DataObject
) -> None:
    candidates = data.draw(st.none() | st.lists(st.sampled_from(ITEMS), max_size=12))
    options = {"k": k, "filter_seen": filter_seen, "candidates": candidates}
    same(bundle.recommend(asked, **options), student.recommend(asked, **options))


@shared
@given(asked=histories, data=st.data())
def test_the_order_of_candidates_and_their_repetition_do_not_matter(
    bundle: Bundle, asked: list, data: st.DataObject
) -> None:
    candidates = data.draw(st.lists(st.sampled_from(ITEMS), min_size=1, unique=True))
    shuffled = data.draw(st.permutations(candidates))
    first = bundle.recommend(asked, candidates=candidates)
    assert first.equals(bundle.recommend(asked, candidates=[*shuffled, shuffled[0]]))
    assert set(first["item_id"]) <= set(candidates)


@shared
@given(asked=histories)
def test_company_does_not_matter(bundle: Bundle, asked: list) -> None:
    together = bundle.recommend([*asked, *asked])
    for row, history in enumerate(asked):
        alone = bundle.recommend([history])
        for twin in (row, row + len(asked)):
            listed = together.filter(pl.col("user_id") == twin)
            same(listed.with_columns(user_id=pl.lit(0, dtype=pl.Int64)), alone)


@shared
@given(history=st.lists(st.sampled_from(ITEMS), min_size=9, max_size=60))
def test_only_the_window_is_looked_at(bundle: Bundle, history: list[str]) -> None:
    whole = bundle.recommend([history], k=40, filter_seen=False)
    same(whole, bundle.recommend([history[-8:]], k=40, filter_seen=False))


@shared
@given(history=st.lists(st.sampled_from(ITEMS), min_size=9, max_size=60))
def test_items_before_the_window_are_seen_too(bundle: Bundle, history: list[str]) -> None:
    given_items = bundle.recommend([history], k=40)["item_id"]
    assert set(given_items) == set(ITEMS) - set(history)


def test_frame_has_the_columns_and_types_of_every_recommender(
    bundle: Bundle, student: SASRec
) -> None:
    asked = [["i0001"], [], ["i0003", "i0001"]]
    frame = bundle.recommend(asked, k=3)
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame.schema == student.recommend(asked, k=3).schema
    assert frame["user_id"].to_list() == [0] * 3 + [1] * 3 + [2] * 3
    assert frame["rank"].to_list() == [1, 2, 3] * 3


def test_unknown_items_of_a_history_say_nothing(bundle: Bundle) -> None:
    frame = bundle.recommend([["no such item", "i0001", "neither"]])
    assert frame.equals(bundle.recommend([["i0001"]]))
    assert bundle.recommend([["no such item"]]).equals(bundle.recommend([[]]))


def test_unknown_candidates_are_an_error_that_names_the_nearest(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="i0007x") as caught:
        bundle.recommend([["i0001"]], candidates=["i0002", "i0007x"])
    assert "i0007'" in caught.value.hint


def test_nobody_asks_nothing(bundle: Bundle, student: SASRec) -> None:
    empty = bundle.recommend([])
    assert len(empty) == 0
    assert empty.schema == student.recommend([["i0001"]]).schema
    assert len(bundle.recommend([["i0001"]], candidates=[])) == 0


def test_lists_end_where_items_do(bundle: Bundle) -> None:
    assert len(bundle.recommend([ITEMS], k=10)) == 0
    assert bundle.recommend([ITEMS[:-2]], k=10)["item_id"].len() == 2
    assert bundle.recommend([[]], k=10_000)["item_id"].n_unique() == 40


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_has_a_place(bundle: Bundle, k: int) -> None:
    with pytest.raises(ConfigError, match=f"k is {k}"):
        bundle.recommend([[]], k=k)
    with pytest.raises(ConfigError, match=f"k is {k}"):
        bundle.similar_items(["i0001"], k=k)


def test_similar_items_are_the_students(bundle: Bundle, student: SASRec) -> None:
    asked = ["i0005", "i0000", "i0039", "i0005"]
    ours, theirs = bundle.similar_items(asked, k=6), student.similar_items(asked, k=6)
    assert ours.schema == theirs.schema
    assert ours.drop("score").equals(theirs.drop("score"))
    np.testing.assert_allclose(ours["score"], theirs["score"], atol=1e-6)


def test_similar_items_by_hand(bundle: Bundle) -> None:
    vectors = bundle.vectors.astype(np.float64)
    own = vectors[7] / np.linalg.norm(vectors[7])
    cosines = (vectors @ own) / np.linalg.norm(vectors, axis=1)
    order = [item for item in np.argsort(-cosines) if item != 7]
    frame = bundle.similar_items(["i0007"], k=100)
    assert frame["similar_item_id"].to_list() == [ITEMS[item] for item in order]
    assert set(frame["item_id"]) == {"i0007"}


def test_similar_to_an_unknown_item(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="i9999"):
        bundle.similar_items(["i9999"])


def test_the_bundle_knows_its_items_and_itself(bundle: Bundle, tiny_dataset: Dataset) -> None:
    assert bundle.items.drop(EVENTS).equals(tiny_dataset.items.frame)
    taken = Counter(tiny_dataset.train.items.tolist())
    assert bundle.items[EVENTS].to_list() == [taken[item] for item in range(40)]
    assert bundle.info.model.kind == "sasrec"
    assert bundle.info.model.history == 8
    assert bundle.info.dataset.fingerprint == tiny_dataset.fingerprint
    assert bundle.info.agreement.histories >= 1_000


@shared
@given(asked=histories, k=st.integers(1, 50), filter_seen=st.booleans(), data=st.data())
def test_dense_answers_are_those_of_recommend(
    bundle: Bundle, asked: list, k: int, filter_seen: bool, data: st.DataObject
) -> None:
    candidates = data.draw(st.none() | st.lists(st.sampled_from(ITEMS), max_size=12))
    frame = bundle.recommend(asked, k, filter_seen=filter_seen, candidates=candidates)
    dense = Sequences.from_lists([bundle.vocabulary.encode(row).tolist() for row in asked])
    allowed = None
    if candidates is not None:
        allowed = np.unique(bundle.vocabulary.encode(candidates)).astype(np.int64)
    items, scores = bundle.top(dense, k, filter_seen=filter_seen, candidates=allowed)
    assert items.shape == scores.shape == (len(asked), k)
    for row in range(len(asked)):
        listed = frame.filter(pl.col("user_id") == row)
        given_items = items[row][items[row] >= 0].astype(np.int32)
        assert bundle.vocabulary.decode(given_items).to_list() == listed["item_id"].to_list()
        assert scores[row][: len(listed)].tolist() == listed["score"].to_list()


def test_barred_items_are_given_to_nobody_of_their_row(bundle: Bundle) -> None:
    asked, barred = Sequences.from_lists([[1], [1]]), Sequences.from_lists([[], [5, 6]])
    items, _ = bundle.top(asked, 40, barred=barred)
    assert set(items[0]) == {*range(40), -1} - {1}
    assert set(items[1]) == {*range(40), -1} - {1, 5, 6}
    with pytest.raises(ConfigError, match="k is 0"):
        bundle.top(asked, 0)
