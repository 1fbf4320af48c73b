"""Rules: which items a list may hold, against plain Python over the catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import ConfigError
from recdistill.serving.answering import Student
from recdistill.serving.beside import Beside
from recdistill.serving.rules import NO_RULES, Rule, Rules, as_text, read_rules
from recdistill.serving.shelf import Shelf

FILMS = [f"i{number:04d}" for number in range(40)]
KINDS = ("crime", "romance", "western", "space", "music")
RULES = Rules(
    {
        "tender": Rule(allow={"genres": ("romance", "music")}),
        "quiet": Rule(deny={"genres": ("western", "space")}),
        "without-first": Rule(deny={"item_id": ("i0000", "i0001")}),
        "night": Rule(deny={"genres": ("music",)}, when={"daypart": ("night", "late")}),
        "night-tv": Rule(
            allow={"genres": ("crime",)}, when={"daypart": ("night",), "device": ("tv",)}
        ),
    }
)


def kind(film: str) -> str:
    return KINDS[int(film[1:]) % 5]


PASSES = {
    "tender": lambda film: kind(film) in ("romance", "music"),
    "quiet": lambda film: kind(film) not in ("western", "space"),
    "without-first": lambda film: film not in ("i0000", "i0001"),
    "night": lambda film: kind(film) != "music",
    "night-tv": lambda film: kind(film) == "crime",
}


@pytest.fixture
def ruled(serve, stock):
    return serve(beside=Beside(stock, RULES))


def listed(client, **body) -> list[str]:
    answer = client.post("/v1/recommend", {"k": 60, "filter_seen": False, **body})
    assert answer.status_code == 200, answer.text
    return [one["item"] for one in answer.json()["items"]]


@pytest.mark.parametrize(
    "history", [["i0003", "i0011"], ["who?"]]
)  # the model, and what is popular
@pytest.mark.parametrize(
    ("names", "context", "holding"),
    [
        ([], {}, []),
        (["tender"], {}, ["tender"]),
        (["quiet", "without-first"], {}, ["quiet", "without-first"]),
        ([], {"daypart": "night"}, ["night"]),
        (["quiet"], {"daypart": "late", "device": "tv"}, ["quiet", "night"]),
        ([], {"daypart": "night", "device": "tv"}, ["night", "night-tv"]),
        ([], {"device": "tv"}, []),
        (["tender", "night-tv"], {}, ["tender", "night-tv"]),
    ],
)
def test_lists_hold_what_rules_let_through_in_the_order_of_before(
    ruled, history, names, context, holding
) -> None:
    every = listed(ruled, history=history)
    some = listed(ruled, history=history, rules=names, context=context)
    assert some == [film for film in every if all(PASSES[name](film) for name in holding)]
    chosen = ["i0004", "i0001", "i0017", "i0013"]
    few = listed(ruled, history=history, rules=names, context=context, candidates=chosen)
    assert few == [film for film in some if film in chosen]


def test_requests_of_several_rules_lie_together(ruled) -> None:
    bodies = [
        {"history": ["i0003"], "k": 60, "rules": rules}
        for rules in ([], ["tender"], [], ["quiet"], ["tender"])
    ]
    answers = ruled.post("/v1/recommend/batch", {"requests": bodies}).json()["answers"]
    alone = [ruled.post("/v1/recommend", body).json() for body in bodies]
    assert [[i["item"] for i in a["items"]] for a in answers] == [
        [i["item"] for i in a["items"]] for a in alone
    ]


def test_new_and_changed_items_keep_rules_too(ruled) -> None:
    items = [
        {"item": "new-1", "like": ["i0001"], "attributes": {"genres": "Drama | romance"}},
        {"item": "new-2", "like": ["i0001"]},
        {"item": "i0000", "attributes": {"genres": "romance"}},
        {"item": "i0001", "like": ["i0002"]},  # its kind stays what the bundle says
    ]
    assert ruled.post("/v1/items", {"items": items}).status_code == 200
    tender = listed(ruled, history=["i0003"], rules=["tender"])
    expected = {film for film in FILMS if PASSES["tender"](film)} | {"new-1", "i0000"}
    assert set(tender) == expected
    assert "new-2" in listed(ruled, history=["i0003"], rules=["quiet"])


@pytest.mark.parametrize(
    ("body", "field", "nearest"),
    [
        ({"rules": ["tnder"]}, "$.rules", "'tender'"),
        ({"context": {"day-part": "night"}}, "$.context", "'daypart'"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_nearest(ruled, body, field, nearest) -> None:
    answer = ruled.post("/v1/recommend", {"history": [], **body})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, field)
    assert problem["type"].endswith(":unknown-rule")
    assert nearest in problem["hint"]
    answer = ruled.post(
        "/v1/recommend/batch", {"requests": [{"history": []}, {"history": [], **body}]}
    )
    assert answer.json()["field"] == field.replace("$", "$.requests[1]")


def test_the_server_tells_its_rules(ruled, client) -> None:
    told = ruled.get("/version").json()
    assert told["rules"] == sorted(PASSES)
    assert told["context"] == ["daypart", "device"]
    assert client.get("/version").json()["rules"] == []


def test_a_catalogue_that_does_not_tell_is_refused_at_the_door(student) -> None:
    """At the start and at a swap: a rule that cannot be kept must not be passed over in silence."""
    rules = Rules({"x": Rule(deny={"genre": ("crime",)})})
    with pytest.raises(ConfigError, match="'genre'") as error:
        Shelf(student).rule(rules)
    assert "'genres'" in error.value.hint
    shelf = Shelf(student)
    shelf.rule(RULES)
    poor = replace(student.bundle, items=student.bundle.items.drop("genres"))
    with pytest.raises(ConfigError, match="catalogue does not have"):
        shelf.put(Student(poor, student.path))
    assert shelf.student.bundle is student.bundle


parts = st.lists(st.sampled_from(["a", "b", "c d", ""]), max_size=3)


@given(
    st.lists(st.none() | parts, min_size=1, max_size=8),
    st.sets(st.sampled_from(["a", "b", "c d"]), min_size=1),
)
def test_lists_and_texts_of_parts_mean_the_same(cells, values) -> None:
    rules = Rules({"r": Rule(allow={"x": tuple(values)})})
    expected = [bool(values & set(cell or ())) for cell in cells]
    as_lists = pl.Series("x", cells, dtype=pl.List(pl.String))
    as_texts = pl.Series(
        "x", [None if c is None else " , ".join(c) for c in cells], dtype=pl.String
    )
    for column in (as_lists, as_texts):
        assert rules.let_through(["r"], {"x": as_text(column)}).tolist() == expected


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "kids:\n  allow: {genres: [music]}\nnight: {deny: {genres: [crime]}, when: {hour: ['23']}}\n"
    )
    rules = read_rules(file)
    assert (rules.names, rules.context) == (("kids", "night"), ("hour",))
    assert NO_RULES.names == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no rules"),
        ("- a", "holds no rules"),
        ("kids: {alow: {genres: [x]}}", "kids.alow"),
        ("kids: {when: {a: [b]}}", "neither allows nor denies"),
        ("kids: {deny: {genres: []}}", "kids.deny.genres"),
        ("kids: [", "Cannot read"),
    ],
)
def test_what_is_no_file_of_rules_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_rules(file)
