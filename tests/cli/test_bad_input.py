"""Data that cannot be used: a sentence that helps, the documented exit code, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from recdistill.cli.app import run

DATA_ERROR = 3
NEXT_CENTURY = 4_500_000_000


def events(users: int = 12, items: int = 9, each: int = 8) -> pl.DataFrame:
    """A plain log: everybody walks round the catalogue, beginning somewhere else."""
    rows = [
        (f"u{user}", f"i{(user + step) % items}", 1_600_000_000 + 1_000 * step + user)
        for user in range(users)
        for step in range(each)
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def with_first_time(value: object, kind: type[pl.DataType]) -> pl.DataFrame:
    log = events()
    times = log["timestamp"].cast(kind).to_list()
    return log.with_columns(pl.Series("timestamp", [value, *times[1:]], dtype=kind))


BAD_LOGS = {
    "no events": (events().clear(), ["empty"]),
    "one user": (events(users=1), ["one user only", "'u0'"]),
    "one item": (events(items=1), ["one item only", "'i0'"]),
    "a time that is not a number": (
        with_first_time(float("nan"), pl.Float64),
        ["1 times are not a finite number", "row 1"],
    ),
    "a missing time": (with_first_time(None, pl.Int64), ["1 times are missing", "row 1"]),
    "a negative time": (with_first_time(-5, pl.Int64), ["negative", "row 1"]),
    "a time in words": (with_first_time("yesterday", pl.String), ["ISO 8601", "yesterday"]),
    "a future time": (with_first_time(NEXT_CENTURY, pl.Int64), ["future", "allow_future", "2112"]),
    "another name of a column": (
        events().rename({"user_id": "userid"}),
        ["no column 'user_id'", "Did you mean 'userid'?", "dataset.columns"],
    ),
    "a missing column": (events().drop("timestamp"), ["no column 'timestamp'"]),
    "a missing id": (
        events().with_columns(pl.when(pl.col("item_id") != "i3").then("item_id").alias("item_id")),
        ["item_id"],
    ),
    "too few events to split": (events(users=2, items=2, each=1), ["split leaves no"]),
}


@pytest.fixture
def source(tmp_path) -> Callable[[pl.DataFrame], Path]:
    def write(log: pl.DataFrame) -> Path:
        path = tmp_path / "log.parquet"
        log.write_parquet(path)
        return path

    return write


@pytest.fixture
def config(tmp_path) -> Callable[..., Path]:
    """A configuration of a log, as small as it gets."""

    def write(log: Path, **teacher: object) -> Path:
        path = tmp_path / "run.yaml"
        sections = {
            "dataset": {"source": str(log)},
            "teacher": teacher or {"kind": "recommender", "model": {"kind": "sasrec"}},
            "signals": [{"kind": "top-k", "k": 5}],
        }
        path.write_text(yaml.safe_dump(sections))
        return path

    return write


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_told(capsys, words: list[str]) -> None:
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == [], told
    assert "Traceback" not in told
    assert "Internal error" not in told


@pytest.mark.parametrize("name", BAD_LOGS)
def test_a_bad_log_is_refused_and_what_was_prepared_before_stays(source, tmp_path, capsys, name):
    log, words = BAD_LOGS[name]
    into = tmp_path / "prepared"
    assert run(["data", "prepare", str(source(events())), "--into", str(into)]) == 0
    before = contents(into)
    assert run(["data", "prepare", str(source(log)), "--into", str(into)]) == DATA_ERROR
    assert_told(capsys, words)
    assert contents(into) == before
    assert run(["data", "prepare", str(source(events())), "--into", str(into)]) == 0
    assert contents(into) == before


@pytest.mark.parametrize("name", BAD_LOGS)
def test_a_run_refuses_a_bad_log_before_any_training(source, config, tmp_path, capsys, name):
    log, words = BAD_LOGS[name]
    into = tmp_path / "run"
    assert run(["run", str(config(source(log))), "--into", str(into), "--quiet"]) == DATA_ERROR
    assert_told(capsys, words)
    assert not (into / "teacher").exists()
    assert not list(into.rglob("*.parquet"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_broken_utf8_is_refused_with_its_place(tmp_path, capsys, suffix):
    log = events()
    path = tmp_path / f"log{suffix}"
    if suffix == ".jsonl":
        log.write_ndjson(path)
    else:
        log.write_csv(path, separator="," if suffix == ".csv" else "\t")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"u3", b"u\xe9", 1))
    line = whole[: whole.index(b"u3")].count(b"\n") + 1
    prepare = ["data", "prepare", str(path), "--into", str(tmp_path / "prepared")]
    assert run(prepare) == DATA_ERROR
    assert_told(capsys, ["not UTF-8", "0xe9", f"line {line}", "iconv"])
    path.write_bytes(whole)
    assert run(prepare) == 0


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".csv.gz"])
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02 no table", b"{]\n"])
def test_a_file_that_is_no_table_is_refused(tmp_path, capsys, suffix, content):
    path = tmp_path / f"log{suffix}"
    path.write_bytes(content)
    assert run(["data", "prepare", str(path), "--into", str(tmp_path / "out")]) == DATA_ERROR
    assert_told(capsys, [path.name.removesuffix(suffix)])
    assert not (tmp_path / "out").exists()


def test_a_damaged_catalogue_is_refused(source, tmp_path, capsys):
    log = source(events())
    items = tmp_path / "items.parquet"
    items.write_bytes(b"PAR1 and nothing more")
    arguments = ["data", "prepare", str(log), "--into", str(tmp_path / "out")]
    assert run([*arguments, "--set", f"items={items}"]) == DATA_ERROR
    assert_told(capsys, ["items.parquet"])


def test_a_text_encoder_without_any_text_is_refused(source, config, tmp_path, capsys):
    path = config(source(events(users=40)), kind="text-encoder", model=str(tmp_path))
    into = tmp_path / "run"
    assert run(["label", str(path), "--into", str(into), "--quiet"]) == DATA_ERROR
    assert_told(capsys, ["no text", "dataset.items", "dataset.text"])
    assert (into / "dataset/manifest.json").is_file()


def test_items_without_text_are_counted_and_do_not_stop_anything(source, tmp_path, capsys):
    titles = [f"Film {item}" if item % 3 else None for item in range(9)]
    names = [f"i{item}" for item in range(9)]
    items = tmp_path / "items.parquet"
    pl.DataFrame({"item_id": names, "title": titles}).write_parquet(items)
    arguments = ["data", "prepare", str(source(events())), "--into", str(tmp_path / "out")]
    assert run([*arguments, "--set", f"items={items}"]) == 0
    assert "9, of which 3 without text" in capsys.readouterr().out
