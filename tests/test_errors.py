"""Errors tell what was wrong and what to do, and each class has an exit code of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill import errors
from recdistill.errors import MissingExtraError, RecDistillError, SourceUnavailableError, nearest

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RecDistillError)
]


def test_a_message_and_a_hint():
    error = RecDistillError("It is broken.", "Mend it.")
    assert (error.message, error.hint) == ("It is broken.", "Mend it.")
    assert str(error) == "It is broken.\n  Mend it."


def test_no_hint_leaves_no_blank():
    assert str(RecDistillError("It is broken.")) == "It is broken."


def test_exit_codes_are_distinct_and_not_success():
    codes = {kind: kind.exit_code for kind in CLASSES if kind is not SourceUnavailableError}
    assert len(set(codes.values())) == len(codes)
    assert all(0 < code < 64 for code in codes.values())


def test_every_class_says_what_it_is_for():
    assert all(kind.__doc__ for kind in CLASSES)


def test_a_missing_extra_names_the_command():
    error = MissingExtraError("The MLflow tracker", "track")
    assert "The MLflow tracker" in error.message
    assert "pip install 'recdistill[track]'" in error.hint


@pytest.mark.parametrize(("name", "close"), [("sasrek", "sasrec"), ("populrity", "popularity")])
def test_the_nearest_name_comes_first(name, close):
    assert nearest(name, ["item-knn", "popularity", "sasrec"]).startswith(
        f"Did you mean '{close}'?"
    )


def test_nothing_near_lists_what_there_is():
    assert nearest("xyz", ["a", "b"]) == "Valid: a, b."
    assert nearest("xyz", []) == "Valid: none."


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), unique=True))
def test_all_options_are_listed_whatever_the_name(name, options):
    told = nearest(name, options)
    assert all(option in told for option in options)
