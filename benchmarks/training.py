"""Training speed of SASRec: targets a second, ours beside RecTools' and RePlay's, and what distilling adds.

Same histories, width, blocks, heads, feed-forward width, history length, batch, dropout, full softmax and
threads. Each contestant runs in its own process and environment (installed on first use into the user's cache
folder), in its own training loop; they take turns, so that all meet the same weather on the machine.

    python benchmarks/training.py [--size small|full] [--threads 1]

`$RECDISTILL_DATA` names the folder with `amazon-beauty/` and `ml-1m/`; without it, histories of the same shape
are made up, and the rows say so.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Claim, environment_of, finish, peak_by, peak_gflops

WORKERS = Path(__file__).resolve().parent / "training_workers"
WIDTH, BLOCKS, BATCH, DROPOUT = 64, 2, 256, 0.2
RIVALS = ("rectools", "replay")


@dataclass(frozen=True)
class Histories:
    """What is trained on: each user's items end to end."""

    name: str
    values: np.ndarray
    offsets: np.ndarray
    items: int
    synthetic: bool = False


@dataclass(frozen=True)
class Race:
    """A data set and the shape of the model for it."""

    histories: Histories
    history: int
    required: float
    aim: float


@dataclass
class Contestant:
    """A training process that waits for its turns."""

    name: str
    process: subprocess.Popen[str]
    turns: list[dict[str, float]] = field(default_factory=list)

    def read(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                return line[1:].strip()
        raise SystemExit(f"{self.name} stopped with code {self.process.wait()}")

    def turn(self, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"go {seconds}\n")
        self.process.stdin.flush()
        self.turns.append(json.loads(self.read()))

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def beauty(data: Path | None) -> Histories:
    if data is None:
        return made_up("amazon-beauty", users=22_363, items=12_101, mean=6.9, least=3)
    lines = (data / "amazon-beauty" / "sequential.txt").read_text().splitlines()
    rows = [
        np.array(line.split()[1:-2], dtype=np.int32) for line in lines
    ]  # leave-one-out: two are kept back
    return assembled("amazon-beauty", rows)


def movielens(data: Path | None) -> Histories:
    if data is None:
        return made_up("ml-1m", users=6_040, items=3_706, mean=163.0, least=18)
    with gzip.open(data / "ml-1m" / "ratings_no_timestamp.tsv.gz", "rt") as stream:
        table = np.loadtxt(stream, dtype=np.int32, skiprows=1, usecols=(0, 1))
    table = table[np.argsort(table[:, 0], kind="stable")]
    edges = np.flatnonzero(np.diff(table[:, 0])) + 1
    return assembled("ml-1m", [row[:-2] for row in np.split(table[:, 1], edges)])


def assembled(name: str, rows: Sequence[np.ndarray]) -> Histories:
    known, values = np.unique(np.concatenate(rows), return_inverse=True)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Histories(name, values.astype(np.int32), offsets, len(known))


def made_up(name: str, users: int, items: int, mean: float, least: int) -> Histories:
    random = np.random.default_rng(0)
    lengths = least + random.geometric(1 / (mean - least), users)
    chances = 1 / np.arange(1, items + 1) ** 0.7
    values = random.choice(items, size=int(lengths.sum()), p=chances / chances.sum()).astype(
        np.int32
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(name, values, offsets, items, synthetic=True)


def start(
    name: str, python: Path, worker: str, arguments: Sequence[Any], threads: int
) -> Contestant:
    count = str(threads)
    setting = {**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    setting["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), setting.get("PYTHONPATH", "")])
    command = [python, WORKERS / f"{worker}.py", *arguments]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if "BENCHMARK_DEBUG" in os.environ else subprocess.DEVNULL,
        text=True,
        env=setting,
    )
    return Contestant(name, process)


def flops_a_target(items: int) -> float:
    """Of the matrix products with weights, forward and backward; attention and the rest not counted."""
    encoder = BLOCKS * (4 + 2) * WIDTH**2
    return 6.0 * (items * WIDTH + encoder)


def run(
    race: Race, threads: int, rounds: int, seconds: float
) -> tuple[list[dict[str, Any]], list[Claim]]:
    histories, ours = race.histories, Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "histories.npz"
        np.savez(path, values=histories.values, offsets=histories.offsets, items=histories.items)
        arguments = [path, race.history, BATCH, WIDTH, BLOCKS, DROPOUT, threads]
        contestants = []
        for name, python, worker, further in (
            ("recdistill", ours, "recdistill_sasrec", []),
            ("recdistill, distilling", ours, "recdistill_sasrec", [2.0]),
            ("rectools", environment_of("rectools"), "rectools_sasrec", []),
            ("replay", environment_of("replay"), "replay_sasrec", []),
        ):
            contestants.append(start(name, python, worker, [*arguments, *further], threads))
            contestants[-1].read()  # warm before the next one starts
        peaks = []
        for _ in range(rounds):
            peaks.append(peak_gflops(threads))
            for contestant in contestants:
                contestant.turn(seconds)
        for contestant in contestants:
            contestant.stop()
    return rows(race, threads, contestants, peaks), claims(race, threads, contestants, peaks)


def rates(contestant: Contestant) -> list[float]:
    return [turn["targets"] / turn["seconds"] for turn in contestant.turns]


def ratio(one: Contestant, other: Contestant) -> float:
    """The median over rounds: what both met in a round, both met."""
    pairs = zip(rates(one), rates(other), strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def share_of_peak(race: Race, contestant: Contestant, peaks: Sequence[float]) -> float:
    work = flops_a_target(race.histories.items)
    return statistics.median(
        rate * work / 1e9 / best for rate, best in zip(rates(contestant), peaks, strict=True)
    )


def rows(
    race: Race, threads: int, contestants: Sequence[Contestant], peaks: Sequence[float]
) -> list[dict[str, Any]]:
    shared: Mapping[str, Any] = {
        "data": race.histories.name,
        "synthetic": race.histories.synthetic,
        "history": race.history,
        "threads": threads,
    }
    return [
        {
            **shared,
            "model": contestant.name,
            "targets_per_second": round(statistics.median(rates(contestant)), 1),
            "slowest_round": round(min(rates(contestant)), 1),
            "fastest_round": round(max(rates(contestant)), 1),
            "share_of_peak": round(share_of_peak(race, contestant, peaks), 4),
            "peak_gflops": round(statistics.median(peaks), 1),
            "peak_by": peak_by(),
            "rounds": len(peaks),
        }
        for contestant in contestants
    ]


def claims(
    race: Race, threads: int, contestants: Sequence[Contestant], peaks: Sequence[float]
) -> list[Claim]:
    ours, distilling, rectools, replay = contestants
    where = f"on {race.histories.name}, {threads} thread" + "s" * (threads > 1)
    return [
        Claim(f"times RecTools' speed {where}", ratio(ours, rectools), race.required),
        Claim(f"times RecTools' speed {where} (aim)", ratio(ours, rectools), race.aim),
        Claim(f"times RePlay's speed {where}", ratio(ours, replay), 1.0),
        Claim(f"share of the FMA peak {where} (aim)", share_of_peak(race, ours, peaks), 0.35),
        Claim(f"cost of a distilling step {where}", ratio(ours, distilling), 1.15, "at most"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--threads", type=int, nargs="+", help="default: 1 (small), 1 and 2 (full)")
    parser.add_argument("--data", choices=["amazon-beauty", "ml-1m"], nargs="+")
    options = parser.parse_args()
    folder = os.environ.get("RECDISTILL_DATA")
    data = Path(folder) if folder else None
    races = {
        "amazon-beauty": lambda: Race(beauty(data), history=50, required=28, aim=40),
        "ml-1m": lambda: Race(movielens(data), history=200, required=9, aim=14),
    }
    rounds, seconds = (3, 3.0) if options.size == "small" else (5, 4.0)
    found: list[dict[str, Any]] = []
    said: list[Claim] = []
    for threads in options.threads or ([1] if options.size == "small" else [1, 2]):
        for name in options.data or list(races):
            more_rows, more_claims = run(races[name](), threads, rounds, seconds)
            found += more_rows
            said += more_claims
    finish("training", options.size, found, said)


if __name__ == "__main__":
    main()
