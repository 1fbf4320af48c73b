"""Titles in running text."""

from __future__ import annotations

import pytest

from recdistill.data.hearsay.naming import Namer, without
from tests.support.films import TITLES


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("They loved The Matrix and more.", [100]),
        ("They loved the Matrix and the matrix.", []),
        ("They loved *The Matrix* and more.", [100]),
        ("They loved *Matrix* and more.", [100]),
        ("They loved Matrix (1999).", [100]),
        ("sleepless in the heat of summer", []),
        ('A "Heat" or a Heat', [115]),
        ("from *Die Hard* to Aliens", [117]),
        ("it is easy to die hard", []),
        ("in Lost World: Jurassic Park, and", [113]),
        ("in Jurassic Park III, and in The Good, the Bad & the Ugly", [114, 116]),
        ("Chasing Amy by Smith", [107, 108]),
        ("*Hamlet* (1996)", [106]),
        ("*Hamlet*", [105, 106]),
        ("", []),
    ],
)
def test_names_are_found_where_they_are_names(text, named):
    found = Namer(TITLES).names(text)
    assert [item + 100 for one in found for item in one.items] == named
    for one in found:
        assert text[one.start : one.stop]


def test_the_article_in_front_belongs_to_the_name_that_is_set_off():
    (one,) = Namer(TITLES).names("She adored *The Good, the Bad and the Ugly*.")
    assert one.items == (16,)


def test_names_are_taken_out_with_their_marks():
    text = "They loved *The Matrix*, “Heat” and Il Postino!"
    found = [(one.start, one.stop) for one in Namer(TITLES).names(text)]
    assert without(text, found) == "They loved …, … and …!"
    assert without(text, []) == text
