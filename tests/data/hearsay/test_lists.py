"""Lists joined by key, and everything that can be wrong with them counted."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from recdistill.data.hearsay.lists import join_lists
from recdistill.data.hearsay.settings import ListsFile
from recdistill.errors import DataError
from tests.support.films import PEOPLE, dense


def join(films, path, **settings):
    return join_lists(ListsFile(path=path, **settings), films)


def rows(sequences):
    return [sequences[at].tolist() for at in range(len(sequences))]


def test_rows_may_stand_in_any_order(films, write):
    said = [{"user_id": 3, "items": [101]}, {"user_id": "1", "items": [103, 115]}]
    one, other = (
        join(films, write(f"{n}.jsonl", part)) for n, part in enumerate((said, said[::-1]))
    )
    assert rows(one.items) == [dense(101), dense(103, 115)] == rows(other.items)[::-1]
    assert films.users.decode(one.users).to_list() == [3, 1]
    # A statement about a user is about what the user had done when training ended.
    assert rows(one.histories) == [dense(*PEOPLE[3][:4]), dense(*PEOPLE[1][:4])]


def test_everything_strange_is_counted(films, write):
    said = [
        {
            "user_id": 1,
            "items": ["Heat", "Emma", "The Matrix", "Heat (1995)"],
            "from": ["Heat", "Die Hard"],
        },
        {"user_id": 9, "items": ["Heat"], "from": []},
        {"user_id": 2, "items": [], "from": ["Heat"]},
        {"user_id": 3, "items": ["Emma", "Persuasion"], "from": []},
        {"user_id": 4, "items": ["Alien", "Hamlet", "Jurasic Park"], "from": ["Alien"]},
        {"user_id": 1, "items": ["Alien", "Heat", "Aliens", "Hamlet"], "from": ["Heat", "Alien"]},
        {"runtime": 12},
    ]
    lists = join(films, write("said.jsonl", said), longest=3, candidates="from")
    facts = lists.report.facts()
    counted = {name: number for name, number in facts.items() if isinstance(number, int) and number}
    assert counted == {
        "records": 7,
        "records_without_a_list": 1,
        "about_unknown_users": 1,
        "repeated": 1,
        "empty_lists": 1,
        "over_long_lists": 1,
        # User 1 took Alien; user 4 took nothing that is listed.
        "items_of_the_history": 1,
        # Aliens of user 1; Jurassic Park of user 4.
        "items_outside_the_candidates": 2,
        "lists_without_any_item_found": 1,
        "joined": 2,
    }
    assert facts["items"]["mentions"] == 8
    assert {
        way: facts["items"].get(way) for way in ("normalised", "near", "ambiguous", "unknown")
    } == {
        "normalised": 4,
        "near": 1,
        "ambiguous": 1,
        "unknown": 2,
    }
    assert facts["items"]["examples"]["near"] == ["Jurasic Park → Jurassic Park (1993)"]
    assert facts["examples"]["about_unknown_users"] == ["9"]
    assert rows(lists.items) == [dense(103, 114), dense(103, 115, 104)]
    assert rows(lists.shown) == [dense(103), dense(115, 103)]
    json.dumps(facts, allow_nan=False)
    told = "\n".join(lists.report.lines())
    assert "1 about unknown users" in told
    assert "8 items named: 4 normalised, 1 near, 1 ambiguous, 2 unknown (62.5% found)" in told


def test_the_first_of_several_where_that_is_wanted(films, write):
    said = [{"user_id": 1, "items": [103]}, {"user_id": 1, "items": [104]}]
    path = write("said.jsonl", said)
    assert rows(join(films, path).items) == [dense(104)]
    assert rows(join(films, path, repeated="first").items) == [dense(103)]


def test_keys_may_be_shifted_and_are_checked_by_what_lists_were_made_from(films, write):
    said = {"config": {}, "0": {"items": "1. Heat", "past": ["The Matrix", "Amelie"]}}
    path = write("said.json", said)
    settings = {"user_id": "@key", "history": "past"}
    lists = join(films, path, shift=1, **settings)
    assert films.users.decode(lists.users).to_list() == [1]
    assert lists.report.counts["stated_items_in_the_history"] == 2
    with pytest.raises(DataError, match="of 2 items that its lists were made from, only 0 are in"):
        join(films, path, shift=2, **settings)
    with pytest.raises(DataError, match="no whole numbers"):
        join(films, write("odd.json", {"anna": {"items": "Heat"}}), user_id="@key", shift=1)


def test_histories_are_keys_too(films, write):
    said = [
        {"past": [100, 101], "items": [115]},
        {"past": [101, 100], "items": [103]},
        {"past": [100, 999], "items": [104]},
        {"past": [100, 101], "items": [117]},
    ]
    lists = join(films, write("said.jsonl", said), user_id=None, history="past")
    assert rows(lists.histories) == [dense(101, 100), dense(100, 101)]
    assert rows(lists.items) == [dense(103), dense(117)]
    assert lists.report.counts["histories_not_wholly_found"] == 1
    assert lists.report.counts["repeated"] == 1
    assert (lists.users == -1).all()


def test_scores_decide_the_order_and_prose_is_no_score(films, write):
    said = [{"user_id": 1, "items": [103, 104, 105, 115], "p": [0.5, 0.9, "As an AI, I cannot", 0]}]
    path = write("said.jsonl", said)
    lists = join(films, path, scores="p")
    assert rows(lists.items) == [dense(104, 103, 115)]
    assert lists.scores.tolist() == pytest.approx([0.9, 0.5, 0])
    assert lists.report.counts["scores_that_are_no_numbers"] == 1
    assert lists.report.examples["scores_that_are_no_numbers"] == ["As an AI, I cannot"]
    logs = join(films, path, scores="p", scale="probability").scores
    np.testing.assert_allclose(logs, np.log([0.9, 0.5, 1e-9]), rtol=1e-6)
    with pytest.raises(DataError, match="a list of 2 items with 1 scores"):
        join(films, write("short.jsonl", [{"user_id": 1, "items": [1, 2], "p": [1]}]), scores="p")
    with pytest.raises(DataError, match="a probability of 7"):
        join(
            films,
            write("7.jsonl", [{"user_id": 1, "items": [1], "p": [7]}]),
            scores="p",
            scale="probability",
        )


def test_confidence_is_from_0_to_1(films, write):
    said = [{"user_id": 1, "items": [103], "sure": 0.25}, {"user_id": 9, "items": [103], "sure": 1}]
    lists = join(films, write("said.jsonl", said), confidence="sure")
    assert lists.confidence.tolist() == [0.25]
    for wrong in (80, "high", None):
        with pytest.raises(DataError, match="the confidence"):
            join(
                films,
                write("x.jsonl", [{"user_id": 1, "items": [103], "sure": wrong}]),
                confidence="sure",
            )


def test_a_table_of_a_row_an_item(films, tmp_path):
    path = tmp_path / "said.parquet"
    frame = pl.DataFrame({"user_id": [1, 2, 1], "item_id": [103, 104, 115], "z": [1.0, 2.0, 3.0]})
    frame.write_parquet(path)
    plain, scored = (join(films, path, items="item_id", rows="item", scores=s) for s in (None, "z"))
    assert rows(plain.items) == [dense(103, 115), dense(104)]
    assert rows(scored.items) == [dense(115, 103), dense(104)]
    assert scored.scores.tolist() == [3, 1, 2]


def test_scores_about_nobody_in_particular_are_about_everybody(films, write):
    path = write("said.csv", "title,rating\nHeat (1995),7\nAlien (1979),9.5\nEmma,9\n")
    lists = join(films, path, user_id=None, items="title", rows="item", scores="rating")
    assert lists.everybody
    assert rows(lists.items) == [dense(103, 115)]
    assert lists.scores.tolist() == [9.5, 7]


def test_nothing_joined_is_refused_with_the_figures(films, write):
    path = write("said.jsonl", [{"user_id": "anna", "items": ["Heat"]}])
    with pytest.raises(DataError, match="1 about unknown users") as caught:
        join(films, path)
    assert "Users are called 1, 2, 3…" in caught.value.hint
    with pytest.raises(DataError, match=r"2 unknown \(0.0% found\)"):
        join(films, write("x.jsonl", [{"user_id": 1, "items": ["Emma", "Persuasion"]}]))


def test_lists_about_nothing_are_refused_while_settings_are_read():
    with pytest.raises(ValueError, match="whose lists are they"):
        ListsFile(path="x", user_id=None)
    with pytest.raises(ValueError, match="one item each cannot be about a history"):
        ListsFile(path="x", user_id=None, history="past", rows="item")


def test_reasons_go_with_their_items(films, write):
    said = [
        {"user_id": 1, "items": ["Emma", "Heat", "Die Hard"], "because": ["a", "b\nb", None], "p": [1, 2, 3]},
        {"user_id": 2, "items": ["Heat", "Die Hard"], "because": "of everything", "p": [1, 2]},
        {"user_id": 3, "items": ["Heat", "Die Hard", "Aliens"], "because": ["x", "y"], "p": [3, 2, 1]},
        {"user_id": 4, "items": ["Heat"], "p": [1]},
    ]  # fmt: skip
    path = write("said.jsonl", said)
    plain = join(films, path, why="because")
    assert [list(one) for one in plain.why] == [["b\nb", ""], ["of everything", ""], [""] * 3, [""]]
    assert plain.report.counts["lists_with_reasons_that_fit_no_items"] == 1
    by_score = join(films, path, why="because", scores="p")
    assert rows(by_score.items)[:2] == [dense(117, 115), dense(117, 115)]
    assert [list(one) for one in by_score.why][:2] == [["", "b\nb"], ["of everything", ""]]
    assert [list(one) for one in by_score.take(np.array([1])).why] == [["of everything", ""]]
    assert not any(map(any, join(films, path).why))


def test_reasons_of_objects_and_of_records_of_one_item_each(films, write):
    nested = [{"user_id": 1, "best": [{"title": "Heat", "why": "h"}, {"title": "Aliens"}]}]
    lists = join(films, write("nested.jsonl", nested), items="best.title", why="best.why")
    assert [list(one) for one in lists.why] == [["h", ""]]
    single = [
        {"item": title, "why": title[0], "s": at} for at, title in enumerate(("Heat", "Aliens"))
    ]
    settings = {"user_id": None, "items": "item", "rows": "item", "scores": "s", "why": "why"}
    lists = join(films, write("single.jsonl", single), **settings)
    assert rows(lists.items) == [dense(104, 115)]
    assert [list(one) for one in lists.why] == [["A", "H"]]
