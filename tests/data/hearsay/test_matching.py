"""Titles to items: by every way, and not by accident."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.hearsay.matching import Matcher, Matching
from recdistill.data.hearsay.ngrams import Trigrams
from recdistill.data.hearsay.titles import normalised, numbers, read_title
from recdistill.errors import DataError
from tests.support.films import TITLES, dense


def find(films, name, **settings):
    (found,) = Matcher(films, Matching(by="titles", **settings)).titles([name])
    return found.way, found.item + 100 if found.item >= 0 else None


@pytest.mark.parametrize(
    ("name", "way", "item"),
    [
        ("Matrix, The (1999)", "exact", 100),
        ("The Matrix (1999)", "normalised", 100),
        ("the matrix", "normalised", 100),
        ("THE MATRIX!", "normalised", 100),
        ("Amelie", "normalised", 101),
        ("Le fabuleux destin d’Amelie Poulain", "normalised", 101),
        ("Il Postino (1995)", "normalised", 102),
        ("Romeo and Juliet", "normalised", 109),
        ("The Good, the Bad and the Ugly", "normalised", 116),
        ("Hamlet (1996)", "exact", 106),
        ("Hamlet, (1991)", "normalised", 105),
        ("Hamlet (2000)", "unknown", None),
        ("Hamlet", "ambiguous", None),
        ("Chasing Amy (1997)", "ambiguous", None),
        ("The Good, the Bad and the Uggly", "near", 116),
        ("Jurasic Park", "near", 114),
        ("Matrixx", "near", 100),
        ("Rocky IV", "unknown", None),
        ("Rockys II", "unknown", None),
        ("Die Hard Twice", "unknown", None),
        ("The Good, the Bad and the Ugliest", "unknown", None),
        ("Rocky 3", "unknown", None),
        ("Alien (1979)", "exact", 103),
        ("The Aliens", "normalised", 104),
        ("Hard", "unknown", None),
        ("Casablanca (1942)", "unknown", None),
        ("???", "unknown", None),
    ],
)
def test_each_way(films, name, way, item):
    assert find(films, name) == (way, item)


def test_near_can_be_stricter_or_off(films):
    assert find(films, "Jurasic Park", near=0.99)[0] == "unknown"
    assert find(films, "Jurasic Park", near=None)[0] == "unknown"


def test_of_several_the_most_popular_where_that_is_wanted(films):
    """Film 107 was taken in training, its double never."""
    assert find(films, "Chasing Amy (1997)", ambiguous="popular") == ("exact", 107)


def test_ids_or_titles_by_what_most_names_are(films):
    matcher = Matcher(films, Matching())
    assert matcher.by_ids(["100", "101", "999"])
    assert not matcher.by_ids(["1984", "Alien", "Emma"])
    assert [one.item for one in matcher.ids(["103", "42"])] == [*dense(103), -1]
    # 1984 is no id here, but a title; told to take ids, it is nothing.
    assert Matcher(films, Matching(by="ids")).by_ids(["Alien"])


def test_a_catalogue_without_titles_is_refused(films):
    with pytest.raises(DataError, match="the catalogue has no 'name'") as caught:
        Matcher(films, Matching(title="name", by="titles")).titles(["Alien"])
    assert "title" in caught.value.hint


@given(st.sampled_from(TITLES), st.integers(0, 3))
def test_normalisation_is_stable_and_blind_to_what_it_should_be_blind_to(title, way):
    name = read_title(title).names[0]
    assert normalised(name) == name
    changed = (title.upper(), f" {title} ", title.replace(" ", "  "), title.replace(",", " ,"))
    if way < 3:
        assert read_title(changed[way]).names[0] == name


def test_numbers_tell_sequels_apart():
    assert numbers("rocky iii") == {"3"} == numbers("rocky 3")
    assert numbers("i robot") == frozenset()
    assert numbers("2001 a space odyssey") == {"2001"}


def test_likeness_is_the_cosine_of_tf_idf_vectors():
    """Against the textbook formula over dense vectors."""
    names = ["alien", "aliens", "heat", "die hard", "heat"]
    padded = [f"  {one} " for one in (*names, "alienz")]
    bags = [Counter(one[i : i + 3] for i in range(len(one) - 2)) for one in padded]
    grams = sorted(set().union(*bags))
    present = {gram: sum(gram in bag for bag in bags[:-1]) for gram in grams}
    idf = np.array([math.log((1 + len(names)) / (1 + present[gram])) + 1 for gram in grams])
    dense_vectors = np.array([[bag[gram] for gram in grams] for bag in bags]) * idf
    unit = dense_vectors / np.linalg.norm(dense_vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(Trigrams(names).alike("alienz"), unit[:-1] @ unit[-1], atol=1e-12)
    assert Trigrams(names).alike("zzz").max() == 0
    assert Trigrams(names).alike("heat")[2] == pytest.approx(1)
