"""Records of every kind of file, and the fields in them."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from recdistill.data.hearsay.mentions import ListField
from recdistill.data.hearsay.records import pick, read_records, require_field
from recdistill.errors import DataError

ROWS = [{"user_id": 1, "items": ["a", "b"]}, {"user_id": 2, "items": []}]


def test_every_format_says_the_same(tmp_path, write):
    pl.DataFrame(ROWS).write_parquet(tmp_path / "said.parquet")
    (tmp_path / "said.jsonl.gz").write_bytes(
        gzip.compress("\n".join(map(json.dumps, ROWS)).encode())
    )
    files = [write("said.json", ROWS), write("said.jsonl", ROWS), write("said.log", ROWS)]
    for path in (*files, tmp_path / "said.parquet", tmp_path / "said.jsonl.gz"):
        assert [dict(row) for row in read_records(path).rows] == ROWS, path
    csv = write("said.csv", "user_id,items\n1,a\n")
    assert read_records(csv).rows == [{"user_id": "1", "items": "a"}]


def test_an_object_of_objects_gives_its_keys(write):
    path = write("said.json", {"config": {"model": "m"}, "7": {"items": "x"}, "8": "only text"})
    rows = read_records(path).rows
    assert [pick(row, "@key") for row in rows] == ["config", "7", "8"]
    assert [pick(row, "items") for row in rows] == [None, "x", None]
    assert pick(rows[2], "@value") == "only text"


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"answer": {"book": "Emma"}}, "answer.book", "Emma"),
        ({"answer": '{"book": "Emma"}'}, "answer.book", "Emma"),
        ({"answer": '```json\n{"book": "Emma"}\n```'}, "answer.book", "Emma"),
        ({"list": [{"title": "A"}, {"title": "B"}]}, "list.title", ["A", "B"]),
        ({"list": '[{"title": "A"}, {}]'}, "list.title", ["A", None]),
        ({"a.b": 3, "a": {"b": 4}}, "a.b", 3),
        ({"answer": "no JSON"}, "answer.book", None),
        ({"answer": '{"cut off": '}, "answer.book", None),
        ({}, "answer", None),
    ],
)
def test_paths_lead_into_objects_lists_and_text(value, path, expected):
    assert pick(value, path) == expected


def test_logs_may_hold_other_lines_and_other_files_may_not(write):
    text = 'started\n{"uid": 1, "book": "Emma"}\nTraceback: out of money\n'
    records = read_records(write("said.log", text))
    assert (len(records), records.lines_damaged) == (1, 2)
    assert records.damaged == ("started", "Traceback: out of money")
    with pytest.raises(DataError, match="2 lines are no JSON, the first: 'started'"):
        read_records(write("said.jsonl", text))


def test_files_of_nothing_and_of_no_known_kind_are_refused(write, tmp_path):
    for name, content, message in (
        ("said.json", [], "holds no record"),
        ("said.log", "nothing here", "the first line being 'nothing here'"),
        ("cut.json", '{"1": ', "is no JSON"),
        ("said.pkl", "x", "unknown format"),
    ):
        with pytest.raises(DataError, match=message):
            read_records(write(name, content))
    with pytest.raises(DataError, match="no file"):
        read_records(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match=r"No record of .* has 'item'") as caught:
        require_field(read_records(write("said.jsonl", ROWS)), "item", tmp_path)
    assert "items" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["Emma", 1984], ["Emma", "1984"]),
        ('["Emma", "Dune"]', ["Emma", "Dune"]),
        ("1. Emma\n2. Dune  \n10) It", ["Emma", "Dune", "It"]),
        ("Here they are:\n\n1. **Emma** (1815)\n2. *Dune*\nEnjoy!", ["Emma (1815)", "Dune"]),
        ("- Emma\n- “Dune”", ["Emma", "Dune"]),
        ("2001: A Space Odyssey", ["2001: A Space Odyssey"]),
        ("Emma", ["Emma"]),
        ("", []),
        ([" ", None, "Emma"], ["Emma"]),
    ],
)
def test_lists_are_read_as_models_write_them(value, expected):
    assert ListField(field="items").read(value) == expected


def test_patterns_say_what_to_take_and_separators_where_to_cut():
    pairs = ListField(field="x", pattern=r"\d+\. .* - (.+)$")
    assert pairs.read("1. Seen - Emma\n2. Seen too - Dune") == ["Emma", "Dune"]
    prompt = ListField(field="x", pattern=r"choose from: (.*)\.$", separator=", ")
    assert prompt.read("You.\nchoose from: Emma, Dune.\nNow!") == ["Emma", "Dune"]
    with pytest.raises(ValueError, match="needs a group"):
        ListField(field="x", pattern=r"\d+")
    with pytest.raises(ValueError, match="no regular expression"):
        ListField(field="x", pattern="(")


@pytest.mark.parametrize(
    "deep", ["[" * 200_000, "[" * 500 + "]" * 500, '{"a":' * 300 + "1" + "}" * 300]
)
def test_brackets_without_end_are_text_and_damage(write, deep):
    """What models that repeat themselves write: it is read as they wrote it, and never walked into."""
    assert pick({"answer": deep}, "answer.book") is None
    assert ListField(field="answer").of({"answer": deep}) == [deep.strip("[]")] * bool(
        deep.strip("[]")
    )
    log = read_records(write("said.log", f'{{"uid": 1}}\n{deep}\n'))
    assert (len(log), log.lines_damaged) == (1, 1)
    with pytest.raises(DataError, match="1 lines are no JSON"):
        read_records(write("said.jsonl", f'{{"uid": 1}}\n{deep}\n'))
    with pytest.raises(DataError, match="is no JSON"):
        read_records(write("said.json", deep))


def test_lines_of_json_end_where_json_says(tmp_path):
    """Models write all sorts of white space; where JSON keeps it as it is, the line goes on."""
    rows = [{"uid": 1, "why": "one\u2028two\x85three"}, {"uid": 2, "why": "half \ud83d"}]
    lines = [json.dumps(rows[0], ensure_ascii=False), json.dumps(rows[1])]
    path = tmp_path / "said.jsonl"
    path.write_text("\r\n".join(lines), encoding="utf-8")
    found = read_records(path)
    assert [row["why"] for row in found.rows] == ["one\u2028two\x85three", "half \ufffd"]


def test_json_that_is_no_list_is_one_record(tmp_path):
    path = tmp_path / "said.json"
    path.write_text("3")
    assert read_records(path).rows == [{"@value": 3}]
