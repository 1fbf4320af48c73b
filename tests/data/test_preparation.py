"""From files to a dataset folder and back; what goes wrong is said; nothing of the test leaks."""

from __future__ import annotations

import gc
import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recdistill.data import layout, preparation
from recdistill.data.configuration import DatasetConfig
from recdistill.data.dataset import Dataset
from recdistill.data.holdout import open_known, open_test
from recdistill.data.preparation import load_dataset, prepare
from recdistill.errors import DataError, StorageError
from recdistill.files import read_json, write_json

Frame = dict[str, list[Any]]


def write_log(folder: Path, columns: Frame, items: Frame | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(folder / "log.parquet")
    if items is not None:
        pl.DataFrame(items).write_parquet(folder / "items.parquet")
    return folder


def small(users: int = 4, length: int = 10) -> Frame:
    """Every user does item 0, 1, 2 … in turn, all users at once."""
    return {
        "user_id": [f"u{user}" for _ in range(length) for user in range(users)],
        "item_id": [f"i{step}" for step in range(length) for _ in range(users)],
        "timestamp": [1_000_000 + 10 * step for step in range(length) for _ in range(users)],
    }


def load(tmp_path: Path, columns: Frame, items: Frame | None = None, **settings: Any) -> Dataset:
    return load_dataset(
        write_log(tmp_path / "in", columns, items), into=tmp_path / "out", **settings
    )


def test_what_is_prepared_is_what_was_given(tmp_path: Path) -> None:
    dataset = load(tmp_path, small())
    assert dataset.users.ids.to_list() == ["u0", "u1", "u2", "u3"]
    assert dataset.vocabulary.ids.to_list() == [f"i{i}" for i in range(10)]
    for user in range(4):
        assert dataset.train.histories[user].tolist() == list(range(8))
    assert dataset.valid.targets.values[dataset.valid.targets.starts].tolist() == [8] * 4
    assert open_test(dataset.folder).histories[0].tolist() == list(range(9))
    assert open_test(dataset.folder).targets[0].tolist() == [9]
    assert len(open_known(dataset.folder)) == 36
    assert dataset.split.cuts is not None
    assert (dataset.split.cuts.valid, dataset.split.cuts.test) == (1_000_080, 1_000_090)
    assert dataset.train.num_users == 4
    assert dataset.num_items == 10


def test_a_dataset_opens_as_it_was_prepared(tiny_dataset: Dataset) -> None:
    again = Dataset.open(tiny_dataset.folder)
    assert again.fingerprint == tiny_dataset.fingerprint
    assert again.split == tiny_dataset.split
    assert np.array_equal(again.train.items, tiny_dataset.train.items)
    assert np.array_equal(again.valid.histories.starts, tiny_dataset.valid.histories.starts)
    assert np.array_equal(again.item_keys, tiny_dataset.item_keys)
    assert again.items.texts()[3] == "The space story 3. space"
    assert again.manifest["counts"]["users"] == 60


def test_contexts_are_the_prefixes_of_histories(tiny_dataset: Dataset) -> None:
    contexts = tiny_dataset.contexts()
    assert len(contexts) == len(tiny_dataset.train)
    for user in (0, 7, 59):
        first = int(tiny_dataset.train.offsets[user])
        history = tiny_dataset.train.histories[user].tolist()
        for place in range(len(history)):
            assert contexts.histories[first + place].tolist() == history[: place + 1]


def test_the_same_history_has_the_same_key_wherever_it_stands(tmp_path: Path) -> None:
    dataset = load(tmp_path, small())
    keys = dataset.contexts().keys.reshape(4, 8)
    assert np.all(keys == keys[0])
    assert len(np.unique(keys)) == 8


def _arrays(root: object) -> list[np.ndarray]:
    """Every array that can be reached from `root` through references, attributes and buffers."""
    seen: set[int] = set()
    found: list[np.ndarray] = []
    left: list[object] = [root]
    while left:
        thing = left.pop()
        # Modules and classes lead everywhere in the process; data does not hang on them here.
        if id(thing) in seen or isinstance(thing, type) or type(thing).__name__ in _CODE:
            continue
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            found.append(thing)
            left.append(thing.base)
        elif isinstance(thing, pl.DataFrame):
            left += thing.get_columns()
        elif isinstance(thing, pl.Series):
            found.append(thing.to_numpy())
        else:
            left += gc.get_referents(thing)
    return found


_CODE = {"module", "function", "builtin_function_or_method", "method", "getset_descriptor"}


def test_no_test_event_can_be_reached_from_a_dataset(
    tmp_path: Path, make_dataset: Callable[..., Dataset]
) -> None:
    """Items that only the test has seen are marked; the mark is in no array of the dataset."""
    columns = small(users=6, length=20)
    late = [time >= 1_000_000 + 10 * 18 for time in columns["timestamp"]]
    marks = [f"z{row}" for row in range(len(late))]
    columns["item_id"] = [
        mark if is_late else item
        for item, mark, is_late in zip(columns["item_id"], marks, late, strict=True)
    ]
    dataset = load(tmp_path, columns)
    dataset.contexts()
    marked = dataset.vocabulary.encode(
        [mark for mark, is_late in zip(marks, late, strict=True) if is_late]
    )
    assert np.all(marked >= 0)
    arrays = _arrays(dataset)
    events = [array for array in arrays if array.dtype == np.int32 and array.ndim == 1]
    assert any(np.shares_memory(array, dataset.train.items) for array in events)
    assert any(np.shares_memory(array, dataset.valid.histories.values) for array in events)
    for array in arrays:
        if array.dtype.kind == "i" and len(array) != len(dataset.vocabulary):
            held = array[array < len(dataset.vocabulary)]
            if array.dtype == np.int32:
                assert not np.isin(held, marked).any()
            else:  # times of the test
                assert not np.isin(array, [1_000_180, 1_000_190]).any()
    # The control: the walk does find a test event where there is one.
    cases = _arrays(open_test(dataset.folder))
    assert any(np.isin(array, marked).any() for array in cases if array.dtype == np.int32)


def test_training_ends_before_validation_begins(tiny_dataset: Dataset) -> None:
    cuts = tiny_dataset.split.cuts
    assert cuts is not None
    assert tiny_dataset.train.times.max() < cuts.valid < cuts.test
    assert not tiny_dataset.split.leaks


def test_cases_follow_the_log_event_by_event(
    make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    """An independent replay of the log finds the same questions and answers."""
    dataset = make_dataset(tmp_path, users=20, items=15, events=400, seed=3)
    log = pl.read_parquet(tmp_path / "source" / "log.parquet")
    cuts = dataset.split.cuts
    assert cuts is not None
    histories: dict[str, list[str]] = defaultdict(list)
    asked: dict[str, list[tuple[str, list[str], str]]] = {"valid": [], "test": []}
    for user, item, time, _ in log.sort("timestamp", maintain_order=True).rows():
        window = "test" if time >= cuts.test else "valid" if time >= cuts.valid else None
        if window and histories[user]:
            asked[window].append((user, list(histories[user]), item))
        histories[user].append(item)
    for window, cases in (("valid", dataset.valid), ("test", open_test(dataset.folder))):
        found = [
            (
                dataset.users.ids[int(cases.users[c])],
                dataset.vocabulary.decode(cases.histories[c]).to_list(),
                dataset.vocabulary.decode(cases.targets[c])[0],
            )
            for c in range(len(cases))
        ]
        assert sorted(found) == sorted(asked[window])


def test_leave_one_out_and_last_fraction(tmp_path: Path) -> None:
    dataset = load(tmp_path, small(), split={"kind": "leave-one-out"})
    assert dataset.split.leaks
    assert len(dataset.valid) == 4
    assert open_test(dataset.folder).histories[3].tolist() == list(range(9))
    dataset = load(
        tmp_path,
        small(),
        split={"kind": "last-fraction", "valid": 0.2, "test": 0.3, "target": "last"},
    )
    assert (len(dataset.train), len(dataset.valid)) == (20, 4)
    assert dataset.valid.targets[0].tolist() == [6]


def test_ties_keep_the_order_of_the_log_and_are_counted(tmp_path: Path) -> None:
    columns = small(users=2, length=10)
    columns["timestamp"] = [time - time % 20 for time in columns["timestamp"]]
    columns["item_id"] = [f"i{9 - int(item[1:])}" for item in columns["item_id"]]
    dataset = load(tmp_path, columns, split={"kind": "global-time", "valid": 0.2, "test": 0.2})
    assert dataset.split.ties == 10
    assert dataset.train.histories[0].tolist() == [9, 8, 7, 6, 5, 4]


def test_filters_count_what_they_drop(tmp_path: Path) -> None:
    columns = small()
    columns["user_id"] += ["u0", "u0", "rare", "u0"]
    columns["item_id"] += ["i3", "i3", "only-rare", "only-u0"]
    columns["timestamp"] += [1_000_030, 1_000_035, 1_000_000, 1_000_001]
    columns["rating"] = [5.0] * 40 + [5.0, 5.0, 5.0, 1.0]
    filters = {"min_rating": 2.0, "keep": "first", "min_user_events": 2, "min_item_events": 2}
    dataset = load(tmp_path, columns, filters=filters)
    counts = dataset.manifest["counts"]
    assert counts["events_read"] == 44
    assert counts["duplicates_dropped"] == 1
    assert counts["low_ratings_dropped"] == 1
    assert counts["repeats_dropped"] == 1
    assert counts["outside_core_dropped"] == 1
    assert dataset.users.ids.to_list() == ["u0", "u1", "u2", "u3"]
    assert dataset.num_items == 10
    assert dataset.train.ratings is not None
    assert set(dataset.train.ratings.tolist()) == {5.0}


def test_the_catalogue_brings_cold_items_unless_the_core_forbids(tmp_path: Path) -> None:
    items = {"item_id": ["i0", "cold", "i0", None], "title": ["First", "Cold", "Again", "Lost"]}
    dataset = load(tmp_path, small(), items)
    assert dataset.num_items == 11
    row = dataset.vocabulary.encode(["cold", "i0"])
    assert [dataset.items.texts()[i] for i in row] == ["Cold", "First"]
    assert dataset.manifest["counts"]["items_without_text"] == 9
    assert dataset.manifest["counts"]["items_without_training_events"] == 3
    dataset = load(tmp_path, small(), items, filters={"min_item_events": 1})
    assert dataset.num_items == 10


@pytest.mark.parametrize(
    ("log_ids", "item_ids", "expected"),
    [
        ([1, 2, 3], ["2", "3"], [1, 2, 3]),
        ([1, 2, 3], ["2", "x"], ["1", "2", "3", "x"]),
        (["1", "2", "3"], [2, 30], ["1", "2", "3", "30"]),
    ],
)
def test_ids_of_log_and_catalogue_meet(
    tmp_path: Path, log_ids: list[Any], item_ids: list[Any], expected: list[Any]
) -> None:
    columns = small(users=3, length=9)
    columns["item_id"] = [log_ids[row % 3] for row in range(27)]
    columns["timestamp"] = [1_000_000 + row for row in range(27)]
    items = {"item_id": item_ids, "title": [f"t{key}" for key in item_ids]}
    dataset = load(tmp_path, columns, items)
    assert dataset.vocabulary.ids.to_list() == expected
    decoded = dataset.vocabulary.decode(dataset.train.histories[1]).to_list()
    assert [str(raw) for raw in decoded] == ["2"] * len(decoded) or len(set(decoded)) > 1


def test_lists_in_a_catalogue_become_text(tmp_path: Path) -> None:
    items = {"item_id": ["i0", "i1"], "title": ["A", "B"], "categories": [["x", "y"], []]}
    dataset = load(tmp_path, small(), items)
    row = dataset.vocabulary.encode(["i0", "i1"])
    assert [dataset.items.texts()[i] for i in row] == ["A. x, y", "B"]


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    columns = small()
    base = load(tmp_path / "a", columns).fingerprint
    assert load(tmp_path / "b", columns, name="other").fingerprint == base
    # Written in another order, by another format: the same content.
    shuffled = pl.DataFrame(columns).sample(fraction=1.0, shuffle=True, seed=1)
    shuffled.write_csv(tmp_path / "log.csv")
    assert load_dataset(tmp_path / "log.csv", into=tmp_path / "c").fingerprint == base
    variants = [
        load(tmp_path / "d", columns | {"timestamp": [t + 1 for t in columns["timestamp"]]}),
        load(tmp_path / "e", columns | {"rating": [1.0] * 40}),
        load(tmp_path / "f", columns, split={"kind": "leave-one-out"}),
        load(tmp_path / "g", columns, {"item_id": ["i0"], "title": ["A"]}),
        load(tmp_path / "h", columns, max_valid_cases=2),
    ]
    assert len({base, *(dataset.fingerprint for dataset in variants)}) == 6


def test_validation_cases_are_capped_and_recorded(tmp_path: Path) -> None:
    dataset = load(tmp_path, small(users=30), max_valid_cases=7)
    assert len(dataset.valid) == 7
    assert (dataset.split.valid_cases, dataset.split.valid_left_out) == (7, 23)
    assert np.array_equal(Dataset.open(dataset.folder).valid.users, dataset.valid.users)


def test_loading_again_opens_what_was_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation.platformdirs, "user_cache_path", lambda *_: tmp_path / "cache")
    source = write_log(tmp_path / "in", small())
    first = load_dataset(source)
    assert first.folder.is_relative_to(tmp_path / "cache")
    monkeypatch.setattr(preparation, "_prepare", None)  # preparing again would fail
    assert load_dataset(source).folder == first.folder
    assert load_dataset(DatasetConfig(source=str(source))).fingerprint == first.fingerprint
    monkeypatch.undo()
    monkeypatch.setattr(preparation.platformdirs, "user_cache_path", lambda *_: tmp_path / "cache")
    assert load_dataset(source, split={"kind": "leave-one-out"}).folder != first.folder
    write_log(source, small(users=5))
    assert len(load_dataset(source).users) == 5


@pytest.mark.parametrize(
    ("stop", "seen"),
    [
        (OSError(28, "No space left on device"), pytest.raises(StorageError, match="No space")),
        (KeyboardInterrupt(), pytest.raises(KeyboardInterrupt)),
    ],
    ids=["a full disk", "an interruption"],
)
def test_what_stops_it_leaves_the_old_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException, seen: Any
) -> None:
    dataset = load(tmp_path, small())
    write_log(tmp_path / "in", small(users=5))

    def stopped(*_: Any, **__: Any) -> None:
        raise stop

    monkeypatch.setattr(layout, "write_events", stopped)
    with seen:
        prepare(DatasetConfig(source=str(tmp_path / "in")), tmp_path / "out")
    assert Dataset.open(tmp_path / "out").fingerprint == dataset.fingerprint
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_no_dataset_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    load(tmp_path, small())  # an empty folder is fine, and so is a dataset
    load(tmp_path, small(users=5))
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("irreplaceable")
    for place in ("precious", "precious/thesis.txt"):
        with pytest.raises(DataError, match="left as it is"):
            load_dataset(tmp_path / "in", into=tmp_path / place)
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "irreplaceable"


@pytest.mark.parametrize("damaged", ["reviews.jsonl", "meta_reviews.jsonl"])
def test_damage_deep_in_a_file_is_said(tmp_path: Path, damaged: str) -> None:
    reviews = [
        f'{{"user_id": "{"AB"[i % 2]}", "parent_asin": "{"PQR"[i % 3]}", "rating": 5.0, "timestamp": {i}}}\n'
        for i in range(60)
    ]
    meta = '{"parent_asin": "P", "title": "Lamp"}\n'
    files = {"reviews.jsonl": "".join(reviews), "meta_reviews.jsonl": meta * 40}
    files[damaged] += '{"parent_asin": broken\n'
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("amazon-reviews", path=tmp_path, into=tmp_path / "out")


BAD_LOGS: dict[str, tuple[Frame, str]] = {
    "empty": ({name: pl.Series([], dtype=pl.Int64) for name in small()}, "is empty"),  # type: ignore[dict-item]
    "one user": (small(users=1), "one user only"),
    "one item": (small() | {"item_id": ["x"] * 40}, "one item only"),
    "NaN": (small() | {"timestamp": [1.0] * 39 + [float("nan")]}, "not a finite number.*row 40"),
    "negative": (small() | {"timestamp": [1] * 39 + [-1]}, "negative.*row 40"),
    "future": (small() | {"timestamp": [1_000_000] * 39 + [5_000_000_000]}, "future.*row 40"),
    "no item id": (
        small() | {"item_id": ["x"] * 39 + [None]},
        "1 missing ids, the first in row 40",
    ),
    "bad rating": (small() | {"rating": ["5"] * 39 + ["good"]}, "no numbers, the first in row 40"),
    "same moment": (small() | {"timestamp": [7] * 40}, "no training events"),
}


@pytest.mark.parametrize("name", BAD_LOGS)
def test_bad_logs_are_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    columns, message = BAD_LOGS[name]
    with pytest.raises(DataError, match=message):
        load(tmp_path, columns)
    assert not (tmp_path / "out").exists()


def test_the_future_can_be_allowed(tmp_path: Path) -> None:
    columns = small()
    columns["timestamp"] = [time + 4_000_000_000 for time in columns["timestamp"]]
    with pytest.raises(DataError, match="future"):
        load(tmp_path, columns)
    assert len(load(tmp_path, columns, allow_future=True).users) == 4


def test_filters_that_leave_nothing_or_need_ratings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No event is left"):
        load(tmp_path, small(), filters={"min_user_events": 11})
    with pytest.raises(DataError, match="has no ratings"):
        load(tmp_path, small(), filters={"min_rating": 3})


def test_a_log_without_times_is_not_cut_by_time(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"u{user} {' '.join(map(str, range(10)))}\n" for user in range(3)))
    with pytest.raises(DataError, match="no times") as caught:
        load_dataset(path, into=tmp_path / "out")
    assert "leave-one-out" in caught.value.hint
    dataset = load_dataset(path, into=tmp_path / "out", split={"kind": "leave-one-out"})
    assert not dataset.split.has_time
    assert dataset.vocabulary.ids.to_list() == list(range(10))
    assert dataset.train.times.tolist() == list(range(8)) * 3


def test_items_without_any_text_are_refused_only_if_text_is_asked_for(tmp_path: Path) -> None:
    items = {"item_id": ["i0"], "title": [" "]}
    with pytest.raises(DataError, match="No item has any text"):
        load(tmp_path, small(), items)
    dataset = load(tmp_path / "bare", small())
    assert dataset.manifest["counts"]["items_without_text"] == 10
    with pytest.raises(DataError, match="no text"):
        dataset.items.texts()
    assert load(tmp_path / "bare", small(), text="{item_id}").items.texts()[2] == "i2"


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    folder = load(tmp_path, small()).folder
    with pytest.raises(DataError, match="no prepared dataset"):
        Dataset.open(tmp_path)
    manifest = read_json(folder / "manifest.json")

    def broken(change: Callable[[Path], Any], opened: Callable[[Path], Any], message: str) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        change(copy)
        with pytest.raises(DataError, match=message):
            opened(copy)
        shutil.rmtree(copy)

    broken(lambda at: (at / "valid.parquet").unlink(), Dataset.open, "missing or damaged")
    broken(lambda at: os.truncate(at / "users.parquet", 20), Dataset.open, "missing or damaged")
    broken(lambda at: os.truncate(at / "holdout/test.parquet", 20), open_test, "test.parquet")
    broken(lambda at: os.truncate(at / "manifest.json", 20), Dataset.open, "is damaged")
    broken(
        lambda at: write_json(at / "manifest.json", manifest | {"format": 99}),
        Dataset.open,
        "format 99",
    )


@pytest.mark.skipif("RECDISTILL_DATA" not in os.environ, reason="needs RECDISTILL_DATA")
@pytest.mark.parametrize(
    ("source", "split", "users", "events"),
    [
        ("movielens-100k", "global-time", 943, 100_000),
        ("movielens-latest-small", "global-time", 610, 100_836),
        ("movielens-1m", "leave-one-out", 6_040, 1_000_209),
        ("amazon-beauty", "leave-one-out", 22_363, 198_502),
    ],
)
def test_real_data_is_read_whole(
    tmp_path: Path, source: str, split: str, users: int, events: int
) -> None:
    dataset = load_dataset(source, into=tmp_path / "out", split={"kind": split})
    made = dataset.split
    assert made.train_events + made.valid_events + made.test_events == events
    assert len(dataset.users) == users
    assert dataset.items.texts()
