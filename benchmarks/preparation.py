"""How fast, and in how much memory, a log becomes a dataset: read, k-core, remap, sort, group, split, write.

Each contestant runs in a fresh process on the same Parquet file, one after the other in every round, and
does the same job; the counts of events, users and items that come out must agree. RecDistill runs the public
`prepare`. pandas and DuckDB are installed by the benchmark into an environment of their own.

    python benchmarks/preparation.py --size small
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

SIZES = {"small": 1_000_000, "full": 20_000_000}
ROUNDS = {"small": 3, "full": 2}
CORE = 5
VALID, TEST = 0.1, 0.1
PEERS = Path(ROOT, ".cache", "benchmarks", "preparation")
SECONDS, GIGABYTES = 25.0, 2.5


def generate(path: Path, events: int, ids: str, seed: int = 0) -> None:
    """A log of power-law users and items over ten years, in the order of time, as Parquet."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(seed)
    users, items = events // 20, events // 100

    def chosen(count: int, exponent: float) -> np.ndarray:
        weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
        names = random.permutation(count)
        return names[np.searchsorted(np.cumsum(weights) / weights.sum(), random.random(events))]

    columns = {"user_id": chosen(users, 0.9), "item_id": chosen(items, 1.1)}
    columns["timestamp"] = np.sort(random.integers(1_300_000_000, 1_600_000_000, size=events))
    frame = pl.DataFrame(columns).with_columns(
        rating=pl.Series(random.integers(1, 6, size=events), dtype=pl.Float32)
    )
    if ids == "strings":
        frame = frame.with_columns(
            pl.format("A{}", pl.col("user_id") * 7919 + 10_000_000).alias("user_id"),
            pl.format("B{}", pl.col("item_id") * 104_729 + 10_000_000).alias("item_id"),
        )
    frame.write_parquet(path)


def with_recdistill(log: Path, into: Path) -> dict[str, int]:
    from recdistill.data.configuration import DatasetConfig
    from recdistill.data.preparation import prepare

    config = DatasetConfig.model_validate(
        {
            "source": str(log),
            "split": {"kind": "global-time", "valid": VALID, "test": TEST},
            "filters": {"min_user_events": CORE, "min_item_events": CORE},
        }
    )
    dataset = prepare(config, into)
    split = dataset.split
    return {
        "train": split.train_events,
        "valid": split.valid_events,
        "test": split.test_events,
        "users": len(dataset.users),
        "items": dataset.num_items,
    }


def with_pandas(log: Path, into: Path) -> dict[str, int]:
    import pandas as pd

    frame = pd.read_parquet(log).drop_duplicates(["user_id", "item_id", "timestamp"])
    while True:
        enough = frame.groupby("user_id")["item_id"].transform("size") >= CORE
        enough &= frame.groupby("item_id")["user_id"].transform("size") >= CORE
        if enough.all():
            break
        frame = frame[enough]
    counts = {}
    for column in ("user_id", "item_id"):
        codes, names = pd.factorize(frame[column], sort=True)
        frame[column] = codes.astype("int32")
        pd.Series(names).to_frame(column).to_parquet(into / f"{column}.parquet")
        counts[column] = len(names)
    frame = frame.sort_values(["user_id", "timestamp"], kind="stable")
    cuts = frame["timestamp"].sort_values().iloc[_cuts(len(frame))].tolist()
    return _parts_pandas(frame, cuts, into) | {
        "users": counts["user_id"],
        "items": counts["item_id"],
    }


def _parts_pandas(frame: Any, cuts: list[int], into: Path) -> dict[str, int]:
    times = frame["timestamp"]
    parts = {
        "train": frame[times < cuts[0]],
        "valid": frame[(times >= cuts[0]) & (times < cuts[1])],
        "test": frame[times >= cuts[1]],
    }
    for name, part in parts.items():
        part.to_parquet(into / f"{name}.parquet")
    return {name: len(part) for name, part in parts.items()}


def with_duckdb(log: Path, into: Path) -> dict[str, int]:
    import duckdb

    base = duckdb.connect(str(into / "work.duckdb"))
    base.execute("SET memory_limit='2GB'")
    base.execute(
        "CREATE TABLE kept AS SELECT user_id, item_id, timestamp, any_value(rating) AS rating, "
        f"min(file_row_number) AS row FROM read_parquet('{log}', file_row_number=true) "
        "GROUP BY ALL"
    )
    while True:
        before = _count(base, "kept")
        for column in ("user_id", "item_id"):
            base.execute(
                f"CREATE OR REPLACE TABLE kept AS SELECT * FROM kept WHERE {column} IN "
                f"(SELECT {column} FROM kept GROUP BY {column} HAVING count(*) >= {CORE})"
            )
        if _count(base, "kept") == before:
            break
    for column in ("user_id", "item_id"):
        base.execute(
            f"CREATE TABLE {column}s AS SELECT {column}, row_number() OVER (ORDER BY {column}) - 1 "
            f"AS dense FROM (SELECT DISTINCT {column} FROM kept)"
        )
        base.execute(f"COPY {column}s TO '{into}/{column}.parquet'")
    cuts = [
        base.execute(
            f"SELECT timestamp FROM kept ORDER BY timestamp LIMIT 1 OFFSET {place}"
        ).fetchone()[0]
        for place in _cuts(_count(base, "kept"))
    ]
    where = {
        "train": f"timestamp < {cuts[0]}",
        "valid": f"timestamp >= {cuts[0]} AND timestamp < {cuts[1]}",
        "test": f"timestamp >= {cuts[1]}",
    }
    counts = {}
    for name, condition in where.items():
        base.execute(
            "COPY (SELECT u.dense::INT AS user_id, i.dense::INT AS item_id, timestamp, rating FROM kept "
            f"JOIN user_ids u USING (user_id) JOIN item_ids i USING (item_id) WHERE {condition} "
            f"ORDER BY u.dense, timestamp, row) TO '{into}/{name}.parquet'"
        )
        counts[name] = base.execute(f"SELECT count(*) FROM kept WHERE {condition}").fetchone()[0]
    return counts | {"users": _count(base, "user_ids"), "items": _count(base, "item_ids")}


def _count(base: Any, table: str) -> int:
    return base.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def _cuts(count: int) -> list[int]:
    return [int(count * (1 - VALID - TEST) + 1e-9), int(count * (1 - TEST) + 1e-9)]


CONTESTANTS: dict[str, Callable[[Path, Path], dict[str, int]]] = {
    "recdistill": with_recdistill,
    "pandas": with_pandas,
    "duckdb": with_duckdb,
}


def measure(name: str, python: str, log: Path) -> dict[str, Any]:
    """Run a contestant in a fresh process; its seconds, peak memory and counts."""
    with tempfile.TemporaryDirectory(dir=log.parent) as into:
        command = [python, __file__, "--contestant", name, "--log", str(log), "--into", into]
        # On few cores a thread pool a library is enough of a fight; arrays come in one thread.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def peers() -> str:
    """The interpreter of an environment with pandas and DuckDB, made on first use."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
        packages = ["pandas", "pyarrow", "duckdb"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def compete(size: str, ids: str, contestants: list[str]) -> list[dict[str, Any]]:
    """The median of every contestant over interleaved rounds on one log."""
    pythons = {name: sys.executable if name == "recdistill" else peers() for name in contestants}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        generate(log, SIZES[size], ids)
        for _ in range(ROUNDS[size]):
            for name in contestants:
                runs[name].append(measure(name, pythons[name], log))
    counts = {name: found[0]["counts"] for name, found in runs.items()}
    if len({json.dumps(found, sort_keys=True) for found in counts.values()}) > 1:
        raise SystemExit(f"The contestants disagree: {counts}")
    return [
        {
            "ids": ids,
            "contestant": name,
            "events": SIZES[size],
            "seconds": round(statistics.median(run["seconds"] for run in found), 3),
            "peak_gb": round(max(run["peak_gb"] for run in found), 3),
            "kept_events": sum(found[0]["counts"][part] for part in ("train", "valid", "test")),
        }
        for name, found in runs.items()
    ]


def claims(size: str, rows: list[dict[str, Any]]) -> list[Claim]:
    """What the issue asks for: seconds and memory at 20 M events; and ratios at any size."""
    found = []
    for ids in dict.fromkeys(row["ids"] for row in rows):
        ours, *others = [row for row in rows if row["ids"] == ids]
        if size == "full":
            what = f"20 M events with {ids} as ids"
            found.append(Claim(f"seconds, {what}", ours["seconds"], SECONDS, "at most"))
            found.append(Claim(f"peak GB, {what}", ours["peak_gb"], GIGABYTES, "at most"))
        for other in others:
            times = round(other["seconds"] / ours["seconds"], 2)
            found.append(Claim(f"times faster than {other['contestant']}, {ids}", times, 1.0))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        began = time.perf_counter()
        counts = CONTESTANTS[options.contestant](options.log, options.into)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": seconds, "peak_gb": peak, "counts": counts}))
        return
    rows = [
        row
        for ids in ("integers", "strings")
        for row in compete(options.size, ids, list(CONTESTANTS))
    ]
    finish("preparation", options.size, rows, claims(options.size, rows))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
