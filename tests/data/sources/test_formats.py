"""Every format that a log may come in, written by the tests themselves."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recdistill.data.configuration import DatasetConfig
from recdistill.data.sources.log import Log
from recdistill.data.sources.registry import FORMATS, open_log
from recdistill.errors import ConfigError, DataError

EVENTS = [("u1", "a", 10), ("u2", "b", 20), ("u1", "b", 30)]
FILMS = {
    1: ("Köln (1995)", "Drama|Sci-Fi"),
    2: ("Nothing (1999)", "(no genres listed)"),
}


def log_of(source: Path | str, **settings: Any) -> Log:
    return open_log(DatasetConfig.model_validate({"source": str(source), **settings}))


def rows(log: Log) -> list[tuple[Any, ...]]:
    return log.events.select("user_id", "item_id", "timestamp").collect().rows()


def items(log: Log) -> list[dict[str, Any]]:
    assert log.items is not None
    return log.items.collect().to_dicts()


def _write_100k(folder: Path) -> None:
    flags = {1: "0|" * 8 + "1|" + "0|" * 6 + "1|0|0|0", 2: "0|" * 18 + "0"}
    (folder / "u.data").write_text("7\t1\t5\t100\n8\t2\t3\t200\n")
    lines = [f"{key}|{FILMS[key][0]}|01-Jan-1995||http://x|{flags[key]}\n" for key in FILMS]
    (folder / "u.item").write_text("".join(lines), encoding="latin-1")


def _write_1m(folder: Path) -> None:
    (folder / "ratings.dat").write_text("7::1::5::100\n8::2::3::200\n")
    lines = [f"{key}::{title}::{genres}\n" for key, (title, genres) in FILMS.items()]
    (folder / "movies.dat").write_text("".join(lines), encoding="latin-1")


def _write_latest(folder: Path) -> None:
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n7,1,5.0,100\n8,2,3.5,200\n"
    )
    lines = [f'{key},"{title}",{genres}\n' for key, (title, genres) in FILMS.items()]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(lines))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("movielens-100k", _write_100k),
        ("movielens-1m", _write_1m),
        ("movielens-latest-small", _write_latest),
    ],
)
def test_movielens_is_read_as_published(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path)
    for log in (log_of(tmp_path), log_of(name, path=tmp_path)):
        assert log.name == name
        assert rows(log) == [("7", "1", "100"), ("8", "2", "200")]
        first, second = items(log)
        assert (first["item_id"], first["title"], first["genres"]) == (
            "1",
            "Köln (1995)",
            "Drama, Sci-Fi",
        )
        assert not second["genres"]
        assert log.has_time
        assert log.template == "{title}. {genres}"


def _write_ordered(folder: Path) -> None:
    """User 1 rated items 1 to 6; 5 and then 6 are the test, 4 is valid."""
    _write_1m(folder)
    (folder / "ratings.dat").unlink()
    ratings = (
        "user\titem\trating\n" + "".join(f"1\t{i}\t3\n" for i in (6, 2, 4, 1, 5, 3)) + "2\t1\t4\n"
    )
    (folder / "ratings_no_timestamp.tsv.gz").write_bytes(gzip.compress(ratings.encode()))
    (folder / "chrono_valid_10pct.tsv").write_text("user\titem\tcertain\n1\t4\t1\n")
    (folder / "chrono_test_20pct.tsv").write_text("user\titem\tcertain\n1\t5\t1\n1\t6\t0\n")


def test_movielens_with_order_files_is_put_in_order(tmp_path: Path) -> None:
    _write_ordered(tmp_path)
    log = log_of("movielens-1m", path=tmp_path)
    assert not log.has_time
    found = [row for row in rows(log) if row[0] == "1"]
    assert {item for _, item, _ in found[:3]} == {"1", "2", "3"}
    assert [item for _, item, _ in found[3:]] == ["4", "5", "6"]
    assert [time for _, _, time in found] == list(range(6))


def test_events_of_unknown_order_are_shuffled_always_in_the_same_way(tmp_path: Path) -> None:
    """The order of the log is the same for all users, and a model would learn it."""
    _write_ordered(tmp_path)
    users = [f"{user}\t{item}\t3\n" for user in range(1, 41) for item in range(1, 7)]
    log = ("user\titem\trating\n" + "".join(users)).encode()
    (tmp_path / "ratings_no_timestamp.tsv.gz").write_bytes(gzip.compress(log))
    once, again = (rows(log_of("movielens-1m", path=tmp_path)) for _ in range(2))
    assert once == again
    orders = [
        tuple(item for user, item, _ in once if user == str(number)) for number in range(2, 41)
    ]
    assert all(sorted(order) == list("123456") for order in orders)
    assert len(set(orders)) > 20
    rising = [left < right for order in orders for left, right in itertools.pairwise(order)]
    assert 0.35 < sum(rising) / len(rising) < 0.65


def test_recbole_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "tiny.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t5\t100\n8\t2\t3\t200\n"
    )
    (tmp_path / "tiny.item").write_text(
        'item_id:token\tmovie_title:token_seq\tclass:token_seq\n1\tThe "Heat"\tCrime Drama\n'
    )
    for log in (log_of(tmp_path), log_of("recbole", path=tmp_path / "tiny.inter")):
        assert log.name == "tiny"
        assert rows(log) == [("7", "1", "100"), ("8", "2", "200")]
        assert items(log) == [{"item_id": "1", "title": 'The "Heat"', "genres": "Crime, Drama"}]


def test_recbole_files_without_time_have_an_order(tmp_path: Path) -> None:
    path = tmp_path / "tiny.inter"
    path.write_text("user_id:token\titem_id:token\n7\t1\n8\t2\n7\t3\n")
    log = log_of(path)
    assert not log.has_time
    assert log.items is None
    assert rows(log) == [("7", "1", 0), ("8", "2", 0), ("7", "3", 1)]


def test_what_is_no_recbole_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found: none"):
        log_of("recbole", path=tmp_path)
    for name in ("a.inter", "b.inter"):
        (tmp_path / name).write_text("user_id\titem_id\n1\t2\n")
    with pytest.raises(DataError, match=r"a\.inter, b\.inter"):
        log_of(tmp_path)
    with pytest.raises(DataError, match="field:type"):
        log_of(tmp_path / "a.inter")


def test_sequences_are_read_with_their_items(tmp_path: Path) -> None:
    (tmp_path / "sequential.txt").write_text("1 10 20  30\n\n2 20\t10 \n3\n")
    (tmp_path / "items.tsv").write_text('id\tasin\ttitle\n10\tB0\tA "big" thing\n20\tB1\t\n')
    for log in (log_of(tmp_path), log_of("sequences", path=tmp_path / "sequential.txt")):
        assert rows(log) == [
            ("1", "10", 0),
            ("1", "20", 1),
            ("1", "30", 2),
            ("2", "20", 0),
            ("2", "10", 1),
        ]
        assert not log.has_time
        assert items(log)[0]["title"] == 'A "big" thing'
        assert len(items(log)) == 2


def test_sequences_of_one_user_on_two_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("1 10 20\n2 20\n1 30\n")
    with pytest.raises(DataError, match="user '1' has more than one line"):
        log_of(path)
    (tmp_path / "other.txt").write_text("1 2\n")
    with pytest.raises(DataError, match=r"log\.txt, other\.txt"):
        log_of("sequences", path=tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_tables_with_a_list_of_items_a_user_are_unrolled(tmp_path: Path, suffix: str) -> None:
    histories = pl.DataFrame({"uid": [7, 8, 9], "books": [["30", "10"], [], ["10", "20", "30"]]})
    path, columns = tmp_path / f"histories{suffix}", {"user_id": "uid", "item_id": "books"}
    write = {".jsonl": pl.DataFrame.write_ndjson, ".parquet": pl.DataFrame.write_parquet}
    write[suffix](histories, path)
    log = log_of(path, columns=columns)
    assert rows(log) == [(7, "30", 0), (7, "10", 1), (9, "10", 0), (9, "20", 1), (9, "30", 2)]
    assert not log.has_time
    assert log.name == "histories"
    pl.concat([histories, histories[:1]]).write_parquet(tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="user '7' has more than one line"):
        log_of(tmp_path / "twice.parquet", columns=columns)
    _events_frame().rename({"user_id": "uid", "item_id": "books"}).write_csv(tmp_path / "z.csv")
    with pytest.raises(DataError, match=r"z\.csv has an event a row"):
        log_of(tmp_path, columns=columns)


def test_a_table_of_items_is_looked_for_under_the_data_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "described.csv").write_text("item_id,title\na,Köln\n")
    _events_frame().write_csv(tmp_path / "books" / "log.csv")
    monkeypatch.setenv("RECDISTILL_DATA", str(tmp_path))
    log = log_of("books/log.csv", items="books/described.csv")
    assert items(log) == [{"item_id": "a", "title": "Köln"}]
    keyed = {"catalogue_id": "title"}
    log = log_of("books/log.csv", items="books/described.csv", columns=keyed)
    assert log.items is not None
    assert "Köln" in log.items.collect()["item_id"].to_list()
    with pytest.raises(DataError, match="no column 'titel'"):
        log_of("books/log.csv", items="books/described.csv", columns={"catalogue_id": "titel"})


REVIEWS_2023 = [
    {
        "rating": 5.0,
        "asin": "V1",
        "parent_asin": "P1",
        "user_id": "A",
        "timestamp": 1_600_000_000_123,
    },
    {
        "rating": 1.0,
        "asin": "V2",
        "parent_asin": "P2",
        "user_id": "B",
        "timestamp": 1_600_000_001_123,
    },
]
META_2023 = [
    {"parent_asin": "P1", "title": "Lamp", "price": 3.5, "categories": ["Home", "Light"]},
    {"parent_asin": "P2", "title": "Rope", "price": "None", "categories": [], "details": {"a": 1}},
]


def _jsonl(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize("zipped", [False, True])
def test_amazon_reviews_of_2023_are_read(tmp_path: Path, zipped: bool) -> None:
    suffix = ".jsonl.gz" if zipped else ".jsonl"
    pack = gzip.compress if zipped else bytes
    (tmp_path / f"All_Beauty{suffix}").write_bytes(pack(_jsonl(REVIEWS_2023)))
    (tmp_path / f"meta_All_Beauty{suffix}").write_bytes(pack(_jsonl(META_2023)))
    for log in (log_of(tmp_path), log_of("amazon-reviews", path=tmp_path)):
        assert log.name == "All_Beauty"
        assert rows(log) == [("A", "P1", 1_600_000_000_123), ("B", "P2", 1_600_000_001_123)]
        assert [item["title"] for item in items(log)] == ["Lamp", "Rope"]
        assert items(log)[0]["categories"] == ["Home", "Light"]


def test_amazon_ratings_of_2014_and_2023_are_read(tmp_path: Path) -> None:
    old, new = tmp_path / "ratings_Beauty.csv", tmp_path / "Beauty.csv"
    old.write_text("A,P1,5.0,1400000000\nB,P2,1.0,1400000001\n")
    new.write_text(
        "user_id,parent_asin,rating,timestamp\nA,P1,5.0,1400000000\nB,P2,1.0,1400000001\n"
    )
    for path in (old, new):
        log = log_of("amazon-reviews", path=path)
        assert rows(log) == [("A", "P1", "1400000000"), ("B", "P2", "1400000001")]
        assert log.items is None
    with pytest.raises(DataError, match="found 2 and 0"):
        log_of("amazon-reviews", path=tmp_path)


def test_amazon_reviews_of_2014_are_read(tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    review = {"reviewerID": "A", "asin": "P1", "overall": 5.0, "unixReviewTime": 1_400_000_000}
    path.write_bytes(_jsonl([review]))
    assert rows(log_of("amazon-reviews", path=path)) == [("A", "P1", 1_400_000_000)]
    path.write_bytes(_jsonl([{"reviewerID": "A"}]))
    with pytest.raises(DataError, match="no column 'parent_asin'"):
        log_of("amazon-reviews", path=path)
    path.write_text("{'python': 'dict'}\n")
    with pytest.raises(DataError, match="no JSONL"):
        log_of("amazon-reviews", path=path)


def _events_frame() -> pl.DataFrame:
    return pl.DataFrame(EVENTS, schema=["user_id", "item_id", "timestamp"], orient="row")


def _as_jsonl(frame: pl.DataFrame, path: Path) -> None:
    path.write_bytes(frame.write_ndjson().encode())


def _written(path: Path) -> Path:
    _events_frame().write_csv(path)
    return path


WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "csv": lambda frame, path: frame.write_csv(path),
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "jsonl": _as_jsonl,
    "csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    "jsonl.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_ndjson().encode())),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_tables_of_every_kind_say_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.{suffix}"
    WRITERS[suffix](_events_frame(), path)
    found = log_of(path)
    assert [(user, item, int(time)) for user, item, time in rows(found)] == EVENTS
    assert found.untyped == suffix.startswith(("csv", "tsv"))


def test_a_folder_of_parts_with_a_catalogue_and_a_mapping(tmp_path: Path) -> None:
    frame = _events_frame().rename({"user_id": "who", "item_id": "what", "timestamp": "when"})
    frame = frame.with_columns(stars=pl.lit(4))
    frame[:2].write_parquet(tmp_path / "part-0.parquet")
    frame[2:].write_csv(tmp_path / "part-1.csv")
    (tmp_path / "items.csv").write_text("what,title\na,Apple\nb,Banana\n")
    (tmp_path / "notes.md").write_text("not a table")
    columns = {"user_id": "who", "item_id": "what", "timestamp": "when", "rating": "stars"}
    with pytest.raises(DataError, match="no column 'user_id'") as caught:
        log_of(tmp_path)
    assert "who" in caught.value.hint
    assert "dataset.columns" in caught.value.hint
    log = log_of(tmp_path, columns=columns)
    assert [str(row[2]) for row in rows(log)] == ["10", "20", "30"]
    assert "rating" in log.events.collect_schema().names()
    assert items(log)[1] == {"item_id": "b", "title": "Banana"}
    assert len(log.files) == 3


def test_a_catalogue_may_lie_elsewhere_and_must_have_a_key(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    _events_frame().write_parquet(path)
    catalogue = tmp_path / "things.jsonl"
    catalogue.write_text('{"item_id": "a", "title": "Apple"}\n')
    assert items(log_of(path, items=catalogue)) == [{"item_id": "a", "title": "Apple"}]
    catalogue.write_text('{"itm": "a", "title": "Apple"}\n')
    with pytest.raises(DataError, match="no column 'item_id'"):
        log_of(path, items=catalogue)


def test_what_cannot_be_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no table"):
        log_of(tmp_path / "empty")
    (tmp_path / "log.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="unknown format") as caught:
        log_of(tmp_path / "log.xlsx")
    assert ".parquet" in caught.value.hint
    (tmp_path / "log.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match=r"log\.parquet"):
        log_of(tmp_path / "log.parquet")
    (tmp_path / "log.csv").write_text("")
    with pytest.raises(DataError, match="is empty"):
        log_of(tmp_path / "log.csv")
    (tmp_path / "log.tsv").write_text("a\tb\n1\t2\t3\n")
    with pytest.raises(DataError, match="cannot be parsed"):
        log_of(tmp_path / "log.tsv")
    with pytest.raises(DataError, match="no file"):
        log_of(_written(tmp_path / "fine.csv"), items=tmp_path / "none.csv")


def test_a_short_line_in_a_fixed_format_is_refused(tmp_path: Path) -> None:
    _write_100k(tmp_path)
    (tmp_path / "u.data").write_text("7\t1\t5\n8\t2\t3\n")
    with pytest.raises(DataError, match="has 3 columns; expected 4"):
        log_of(tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
def test_broken_utf8_is_refused_with_its_place(tmp_path: Path, zipped: bool) -> None:
    good = "user_id,item_id,timestamp\n" + "ü,a,1\n" * 3
    content = good.encode() + b"x\xff,a,1\n"
    path = tmp_path / ("log.csv.gz" if zipped else "log.csv")
    path.write_bytes(gzip.compress(content) if zipped else content)
    offset = len(good.encode()) + 1
    with pytest.raises(DataError, match=rf"byte 0xff at offset {offset} \(line 5\)"):
        log_of(path)


def test_a_character_cut_off_at_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,item_id,timestamp\nü".encode()[:-1])
    with pytest.raises(DataError, match="not UTF-8"):
        log_of(path)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"user_id,item_id,timestamp\n" * 1000)[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        log_of(path)


def test_unknown_sources_are_refused_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECDISTILL_DATA", str(tmp_path))
    with pytest.raises(DataError, match="movielens-100'") as e:
        log_of("movielens-100")
    assert "Did you mean 'movielens-100k'?" in e.value.hint
    with pytest.raises(ConfigError, match=r"needs dataset\.path"):
        log_of("recbole")
    (tmp_path / "mine").mkdir()
    _events_frame().write_parquet(tmp_path / "mine" / "log.parquet")
    assert rows(log_of("mine")) == EVENTS
    assert set(FORMATS) >= {"tables", "sequences", "recbole", "amazon-reviews"}
