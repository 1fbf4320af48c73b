from __future__ import annotations

import json

import pytest

from recdistill.cli.recommendation import parse_ids
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
