from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import PAYLOADS

from recdistill.teachers.listwise.reading import read, understood

LABELS = ["A", "B", "C", "D"]
NAMES = ["Heat", "Alien: Resurrection", "Fargo", "Fargo"]


def order(text: str) -> str | None:
    reply = read(text, LABELS, NAMES)
    return None if reply is None else "".join(LABELS[place] for place in reply.ranking)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"ranking": ["C", "A", "B", "D"]}', "CABD"),
        ('["C", "A"]', "CA"),
        ('Sure!\n```json\n{"ranking": ["C", "A", "B"]}\n```\nHope it helps.', "CAB"),
        ('{"order": ["b", " a "]}', "BA"),
        ('{"ranking": [{"label": "D", "score": 0.9}, {"id": "A", "score": 1e99}]}', "DA"),
        ('{"ranking": ["C. Fargo", "A. Heat"]}', "CA"),
        ('{"ranking": ["Heat", "alien:  resurrection"]}', "AB"),
        ('{"ranking": ["Fargo", "B"]}', "B"),  # two are called so
        ('{"ranking": ["C", "C", "A", "C"]}', "CA"),
        ('{"ranking": ["Z", "The Matrix", "", null, 7, "B"]}', "B"),
        ('{"ranking": ["C", "A", "B"', "CAB"),
        ('{"ranking": ["C", "A", "Al', "CA"),
        ('<think>A is nice: {"ranking": ["A"]}</think>{"ranking": ["B", "A"]}', "BA"),
        ('<think>{"ranking": ["A"]} and so on', None),
        ('A is nice: {"ranking": ["A", "C", "D"]}</think>{"ranking": ["B", "A"]}', "BA"),
        ('First I thought ["A"], but {"ranking": ["D", "C"]}', "DC"),
        ('{"ranking": [labels, best first]}\n{"ranking": ["B", "A"]}', "BA"),
        ("B > A > C", "BAC"),
        ("The answer is:\nC, B, A", "CBA"),
        ("1. B\n2. A: because\n3) D", "BAD"),
        ("**C**\n**A**", "CA"),
        ("B. Alien\nA. Heat", "BA"),
        ("A great film, and a good one.", None),
        ("I cannot answer that.", None),
        ("<html><body>502 Bad Gateway</body></html>", None),
        ('{"ranking": []}', None),
        ('{"ranking": "B"}', None),
        ('{"ranking": {"A": 1}}', None),
        ("", None),
        ("A", None),
    ],
)
def test_an_order_is_found_wherever_it_stands(text, expected):
    assert order(text) == expected


@pytest.mark.parametrize(
    ("text", "named", "shown"),
    [
        ('{"ranking": ["C", "A", "B", "D"]}', 4, 4),
        ('{"ranking": ["C", "C", "A"]}', 3, 3),
        ('{"ranking": ["Z", "The Matrix", "Heat", null]}', 3, 1),
        ('{"ranking": ["Fargo", "B"]}', 2, 1),
        ('{"ranking": ["The Matrix", "Z", "42"]}', 3, 0),
        ('First ["Z", "Y", "X"], then {"ranking": ["D"]}', 1, 1),
        ("1. B\n2. A: because", 2, 2),
        ("I cannot answer that.", 0, 0),
        ('{"ranking": []}', 0, 0),
    ],
)
def test_what_it_names_is_counted_though_nobody_showed_it(text, named, shown):
    found = understood(text, LABELS, NAMES)
    assert (found.named, found.shown) == (named, shown)
    assert found.reply == read(text, LABELS, NAMES)
    assert (found.reply is None) == (shown == 0)


def test_half_a_character_in_a_rationale_is_marked():
    """The answer is JSON within JSON, and may spell one that the endpoint's JSON did not."""
    said = r'{"ranking": ["B"], "rationale": "fun \ud83d!"}'
    assert read(said, LABELS).rationale == "fun \ufffd!"


def test_a_rationale_is_kept_where_it_is_words():
    assert (
        read('{"ranking": ["A"], "rationale": " It  is\\ngood. "}', LABELS).rationale
        == "It is good."
    )
    assert read('{"ranking": ["A"], "rationale": ["x"]}', LABELS).rationale is None
    assert (
        len(read(json.dumps({"ranking": ["A"], "rationale": "x" * 9999}), LABELS).rationale) == 500
    )


@given(st.lists(st.sampled_from([*LABELS, "E", "a", "Heat", "Fargo", "nothing"]), max_size=12))
def test_only_candidates_come_out_and_none_twice(entries):
    reply = read(json.dumps({"ranking": entries}), LABELS, NAMES)
    ranking = () if reply is None else reply.ranking
    assert len(set(ranking)) == len(ranking)
    assert all(0 <= place < len(LABELS) for place in ranking)


_PARTS = [
    '{"ranking": [',
    '"A"',
    ",",
    "]",
    "}",
    "[",
    "{",
    "\n",
    " > ",
    "B",
    "1. ",
    "<think>",
    "null",
    "\\",
    '"',
]


@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(_PARTS), max_size=30).map("".join))
)
def test_no_answer_at_all_is_too_much(text):
    reply = read(text, LABELS, NAMES)
    if reply is not None:
        assert reply.ranking
        assert len(set(reply.ranking)) == len(reply.ranking) <= len(LABELS)


def test_nor_are_attacks_and_bombs():
    for text in [*PAYLOADS, "[" * 100_000, '{"a":' * 50_000, "9" * 100_000, "A\n" * 50_000]:
        read(text, LABELS, NAMES)
