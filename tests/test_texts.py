"""What strangers wrote can be kept, and does nothing to who reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.texts import line, visible, whole

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_whole_texts_can_be_written_and_are_left_alone(text):
    found = whole(text)
    found.encode()
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert found == text
    assert whole(found) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half \ud83d of it", "half \ufffd of it"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ufeffa", "\ufeffa"),
    ],
)
def test_halves_are_marked_and_pairs_joined(text, expected):
    assert whole(text) == expected


@given(ANY)
def test_a_line_is_one_and_tells_a_terminal_nothing(text):
    found = line(text)
    found.encode()
    assert len(found.splitlines()) <= 1
    assert not any(sign in found for sign in "\x1b\x07\x9b\u202e\u2066\u200b")
    assert line(found) == found


@given(ANY)
def test_lines_stay_lines_where_they_are_shown(text):
    assert [line(one) for one in visible(text).split("\n")] == [
        line(one) for one in text.split("\n")
    ]


def test_what_belongs_to_words_stays():
    assert line("می\u200cخواهم  é\n👩\u200d💻") == "می\u200cخواهم é 👩\u200d💻"


def test_narrow_spaces_and_those_that_do_not_break_stay():
    told = "+9.5\u202f% in 3\u00a0seeds"
    assert visible(told + "\n\x1b") == told + "\n"
