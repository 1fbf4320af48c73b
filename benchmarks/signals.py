"""Reading what a teacher said: random contexts from the store, beside the ways others keep such rows.

Every repetition reads the same random contexts in every way, one way after the other, so that what else the
machine does hurts all alike. All of it was read once before, as after the first epoch of a training.

    python benchmarks/signals.py [--size small|full]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import Claim, finish

from recdistill.signals import (
    SignalManifest,
    SignalReader,
    SignalWriter,
    TeacherIdentity,
    TopK,
    to_parquet,
)
from recdistill.signals.manifest import DatasetIdentity

ROWS = {"small": 100_000, "full": 1_000_000}
ASKED, K, ITEMS = 256, 100, 12_101
PARQUET_EVERY = 50  # repetitions of the fast ways for one of Parquet, which takes seconds


def write(folder: Path, rows: int) -> float:
    """Write made-up top-100 rows; the seconds it took."""
    kind = TopK(k=K)
    manifest = SignalManifest(
        kind=kind,
        teacher=TeacherIdentity(kind="recommender", name="made-up", revision="0", settings={}),
        dataset=DatasetIdentity(name="made-up", fingerprint="0"),
        fields=kind.fields(ITEMS, 0),
    )
    random = np.random.default_rng(0)
    keys = np.unique(random.integers(0, 2**64, rows, dtype=np.uint64))
    writer, spent = SignalWriter.create(folder, manifest), 0.0
    for start in range(0, rows, 16_384):
        part = keys[start : start + 16_384]
        columns = {
            "items": random.integers(0, ITEMS, (len(part), K), dtype=np.int32),
            "logits": -np.sort(random.random((len(part), K), dtype=np.float32) * 12),
            "rest": -random.random(len(part), dtype=np.float32),
        }
        began = time.perf_counter()
        writer.append(part, columns)
        spent += time.perf_counter() - began
    began = time.perf_counter()
    writer.finish()
    return spent + time.perf_counter() - began


def arrow_table(reader: SignalReader) -> pa.Table:
    """The same rows as an Arrow table in memory, half precision widened as the reader widens it."""
    read = reader.read(np.arange(len(reader)))
    lists = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(read[name].reshape(-1)), K)
        for name in ("items", "logits")
    }
    return pa.table({**lists, "rest": read["rest"]})


def parquet_reader(path: Path) -> Callable[[np.ndarray], Any]:
    """Random rows from Parquet: the row groups that hold them are decoded, then the rows taken."""
    file = pq.ParquetFile(path)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = np.cumsum([0, *sizes])

    def read(rows: np.ndarray) -> None:
        groups = np.searchsorted(starts, rows, side="right") - 1
        for group in np.unique(groups):
            file.read_row_group(int(group)).take(pa.array(rows[groups == group] - starts[group]))

    return read


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(
    ways: dict[str, Callable[[], Any]],
    rare: set[str],
    repetitions: int,
    shuffle: Callable[[], None],
) -> dict[str, list[float]]:
    """Times of every way, interleaved; `shuffle` chooses other contexts before each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions):
        shuffle()
        for name, work in ways.items():
            if name not in rare or repetition % PARQUET_EVERY == 0:
                times[name].append(seconds_of(work))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(ROWS), default="small")
    parser.add_argument("--repetitions", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(options.size, options.repetitions, Path(temporary))


def run(size: str, repetitions: int, folder: Path) -> None:
    rows = ROWS[size]
    writing = write(folder / "top-k", rows)
    opening = seconds_of(lambda: SignalReader.open(folder / "top-k"))
    reader = SignalReader.open(folder / "top-k")
    to_parquet(reader, folder / "top-k.parquet")
    table, parquet = arrow_table(reader), parquet_reader(folder / "top-k.parquet")
    for start in range(0, len(reader), ASKED):  # warm, as after the first epoch of a training
        reader.read(np.arange(start, min(start + ASKED, len(reader))))
    random, keys = np.random.default_rng(1), reader.keys
    asked = {"rows": np.empty(0, dtype=np.int64), "keys": keys[:0]}

    def shuffle() -> None:
        asked["rows"] = random.integers(0, len(reader), ASKED)
        asked["keys"] = keys[asked["rows"]]

    ways = {
        "recdistill: read rows": lambda: reader.read(asked["rows"]),
        "recdistill: find keys and read": lambda: reader.read(reader.find(asked["keys"])),
        "arrow: take from a table in memory": lambda: table.take(pa.array(asked["rows"])),
        "parquet: decode row groups and take": lambda: parquet(asked["rows"]),
    }
    times = measure(ways, {"parquet: decode row groups and take"}, repetitions, shuffle)
    median = {name: statistics.median(values) for name, values in times.items()}
    own = median["recdistill: find keys and read"]
    shown = [
        {
            "way": name,
            "median_ms": 1000 * median[name],
            "p90_ms": 1000 * float(np.quantile(times[name], 0.9)),
            "times_ours": median[name] / own,
        }
        for name in ways
    ]
    shown.append({"way": f"write {rows:,} rows", "median_ms": 1000 * writing})
    shown.append({"way": f"open {rows:,} rows", "median_ms": 1000 * opening})
    claims = [
        Claim(
            f"256 random contexts x 100 of {rows:,} are found and read, median ms",
            1000 * own,
            0.5,
            "at most",
        ),
        Claim(
            "Parquet takes this many times as long",
            median["parquet: decode row groups and take"] / own,
            100.0,
        ),
    ]
    finish("signals", size, shown, claims)


if __name__ == "__main__":
    main()
