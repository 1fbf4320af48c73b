from __future__ import annotations

import json

import polars as pl
import pytest

from recdistill.cli.recommendation import Format, _printed, parse_ids
from recdistill.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("50 181  172", ["50", "181", "172"]),
        ("50,181, 172", ["50", "181", "172"]),
        ('["a b", "c,d"]', ["a b", "c,d"]),
        ("[50, 181]", ["50", "181"]),
        ("", []),
    ],
)
def test_ids_may_be_written_in_three_ways(text, ids):
    assert parse_ids(text) == ids


@pytest.mark.parametrize("text", ["[50, 181", "['a']"])
def test_a_broken_list_is_refused(text):
    with pytest.raises(ConfigError, match="not valid JSON"):
        parse_ids(text)


def test_ids_survive_a_round_trip_through_json():
    ids = ["tab\there", 'quote"', "Ünï"]
    assert parse_ids(json.dumps(ids)) == ids


def test_titles_tell_a_terminal_nothing_and_files_all():
    evil = "The\x1b]0;owned\x07 \x1b[2J\u202eLong\nNight"
    frame = pl.DataFrame(
        {
            "user_id": [0],
            "rank": [1],
            "score": [0.5],
            "item_id": ["i\x9b1"],
            "title": [evil],
            "why": [evil],
        }
    )
    table = _printed(frame, Format.table)
    assert "The]0;owned [2JLong Night" in table
    assert len(table.splitlines()) == 2
    assert not any(sign in table for sign in "\x1b\x07\x9b\u202e")
    assert json.loads(_printed(frame, Format.json))[0]["title"] == evil
    assert evil in _printed(frame, Format.csv)
