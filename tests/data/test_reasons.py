"""Reasons are harmless to read, and are given for the very context about which they were said."""

from __future__ import annotations

import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.encoding import id_keys
from recdistill.data.reasons import LONGEST, Place, Reasons, context_keys, plain
from recdistill.data.sequences import Sequences

KEYS = id_keys(pl.Series([f"i{item}" for item in range(9)]))
signs = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)


@given(signs, st.integers(2, 350))
def test_whatever_was_written_becomes_one_line_that_does_nothing(text, at_most):
    found = plain(text, at_most)
    assert len(found) <= at_most
    assert found == " ".join(found.split()) == plain(found, at_most)
    found.encode("utf-8")
    hidden = {sign for sign in found if unicodedata.category(sign)[0] == "C"}
    assert all(unicodedata.category(s) == "Cn" or s in "\u200c\u200d" for s in hidden)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  They like\n\n space.\t", "They like space."),
        ("\x1b[31mred\x1b[0m and \u202eturned\u202c", "[31mred[0m and turned"),
        ("half \ud83d a sign, \ue000 private, zero\u200bwidth", "half a sign, private, zerowidth"),
        ("می\u200cخواهم 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀"),
        ("nbsp\xa0here\u2028there", "nbsp here there"),
        ("\x00\u2066", ""),
    ],
)
def test_what_goes_and_what_stays(text, expected):
    assert plain(text) == expected


def test_long_ones_are_cut_between_words():
    assert plain("one two, three", 10) == "one two…"
    assert plain("W" * 500) == "W" * (LONGEST - 1) + "…"


histories = st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=5)
told = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=3), st.integers(0, 3), st.integers(0, 3)),
    max_size=12,
)


@given(histories, told)
def test_a_reason_is_given_for_equal_latest_items_and_for_nothing_else(asked, said):
    """Against a search that compares the items themselves."""
    stored = []
    for place, (history, latest, item) in enumerate(said):
        (key,) = context_keys(Sequences.from_lists([history]), latest, KEYS)
        stored.append((Place(key, latest, item), f"reason {place}"))
    reasons = Reasons.of(stored)
    rows = [row for row in range(len(asked)) for _ in range(4)]
    items = [*range(4)] * len(asked)
    found = reasons.said(Sequences.from_lists(asked), rows, items, KEYS)

    def cut(history, latest):
        return history[max(len(history) - latest, 0) :]

    def by_hand(history, item):
        fitting = [
            (-latest, place)
            for place, (about, latest, of) in enumerate(said)
            if of == item and cut(history, latest) == cut(about, latest)
        ]
        return f"reason {min(fitting)[1]}" if fitting else None

    assert found == [by_hand(asked[row], item) for row, item in zip(rows, items, strict=True)]
    known = reasons.known(Sequences.from_lists(asked), KEYS)
    assert known.tolist() == [
        any(cut(one, latest) == cut(about, latest) for about, latest, _ in said) for one in asked
    ]


def test_what_was_said_of_more_of_the_history_comes_first_and_of_everybody_last():
    whole = Sequences.from_lists([[1, 2, 3]])
    places = [Place(context_keys(whole, latest, KEYS)[0], latest, 5) for latest in (0, 2, 3)]
    texts = ("to everybody", "of two", "of three")
    for left in (3, 2, 1):
        reasons = Reasons.of(zip(places[:left], texts[:left], strict=True))
        assert reasons.said(whole, [0], [5], KEYS) == [texts[left - 1]]
    assert reasons.said(Sequences.from_lists([[]]), [0, 0], [5, 6], KEYS) == ["to everybody", None]


def test_the_first_counts_and_empty_ones_do_not():
    place, other = Place(1, 2, 3), Place(1, 2, 4)
    found = Reasons.of([(place, " \n"), (place, "first"), (place, "second"), (other, "")])
    assert found.texts == {place: "first"}
    both = found.and_those_of(Reasons({place: "later", other: "more"}))
    assert both.texts == {place: "first", other: "more"}
    assert both.some(1).texts == {place: "first"}


def test_they_are_a_table_and_back():
    largest = 2**64 - 1
    reasons = Reasons.of([(Place(largest, 3, 7), "why"), (Place(0, 0, 1), "pour quoi ?")])
    assert reasons.frame().rows() == [(0, 0, 1, "pour quoi ?"), (largest, 3, 7, "why")]
    assert Reasons.from_frame(reasons.frame()).texts == reasons.texts
    assert len(Reasons.from_frame(Reasons({}).frame())) == 0
    dirty = reasons.frame().with_columns(why=pl.lit("a\x1b[2Jb"))
    assert set(Reasons.from_frame(dirty).texts.values()) == {"a[2Jb"}
    for wrong in (
        reasons.frame().drop("why"),
        reasons.frame().cast({"item": pl.Int64}),
        reasons.frame().with_columns(why=pl.lit(None, dtype=pl.String)),
    ):
        with pytest.raises(ValueError, match="columns"):
            Reasons.from_frame(wrong)


def test_an_unpacked_history_is_known_too():
    values = np.arange(9, dtype=np.int32)
    rows = Sequences(values, np.array([0, 3]), np.array([4, 9]))
    assert context_keys(rows, 2, KEYS) == context_keys(
        Sequences.from_lists([[2, 3], [7, 8]]), 2, KEYS
    )
