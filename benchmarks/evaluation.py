"""Full-ranking evaluation against RecBole's at 12 k items and RecTools' fastest ranker at 1 M.

    python benchmarks/evaluation.py --size small|full

The peers are installed into environments of their own (`--peers FOLDER`, kept for the next run). All get the
same states, item vectors, seen items and targets, one thread each, and take turns in one run, so that
whatever else the machine does hits all alike. Seconds are of processor time; the best of the rounds counts.

RecBole gives metrics at 10 and keeps no lists; `ranks` gives the same metrics, `ranks and lists` the lists
too. RecBole is measured with its default batch and with a smaller one that suits the cache better.

The peak is that of one core in fused multiply-adds (`common.peak_gflops`), the best of the same rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import Claim, environment_of, finish, peak_by, peak_gflops

HERE = Path(__file__).resolve().parent / "evaluation_workers"
WIDTH = 64
SIZES = {
    "small": {12_101: 4_096, 1_000_000: 128},
    "full": {12_101: 22_363, 1_000_000: 1_024},
}
PEERS = {"RecBole": "recbole", "RecTools": "rectools"}
RECBOLE_DEFAULT = "batch 4096"
"""RecBole's `eval_batch_size` unless told otherwise, in cases for a sequential model."""
ROUNDS = 3


@dataclass
class Contestant:
    """A process that holds the inputs and runs when told."""

    name: str
    python: Path
    script: str
    results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def start(self, cases: int, items: int) -> None:
        self.process = subprocess.Popen(
            [self.python, HERE / self.script, str(cases), str(items)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_one_thread(),
        )  # fmt: skip
        self.results = {mode: [] for mode in self._answer()["ready"]}

    def round(self) -> None:
        for mode, found in self.results.items():
            self.process.stdin.write(mode + "\n")
            self.process.stdin.flush()
            found.append(self._answer())

    def stop(self) -> None:
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{self.name} ended early (exit code {self.process.wait()})")


def _one_thread() -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}


def compare(contestants: list[Contestant], cases: int, items: int) -> list[dict[str, Any]]:
    """One row for each way of each contestant."""
    for contestant in contestants:
        contestant.start(cases, items)
    peak = 0.0
    for _ in range(ROUNDS):
        peak = max(peak, peak_gflops())
        for contestant in contestants:
            contestant.round()
    for contestant in contestants:
        contestant.stop()
    check_same(contestants)
    return [
        _row(contestant.name, mode, found, peak, cases, items)
        for contestant in contestants
        for mode, found in contestant.results.items()
    ]


def check_same(contestants: list[Contestant]) -> None:
    """All that say the same figure must agree on it (RecBole rounds to 9 places)."""
    said: dict[str, float] = {}
    for contestant in contestants:
        for found in contestant.results.values():
            for name, value in found[-1]["figures"].items():
                if abs(said.setdefault(name, value) - value) > 2e-4 * max(1.0, abs(value)):
                    raise SystemExit(
                        f"{contestant.name} says {name} = {value}, others {said[name]}"
                    )


def _row(
    name: str, mode: str, found: list[dict[str, Any]], peak: float, cases: int, items: int
) -> dict[str, Any]:
    seconds = min(one["seconds"] for one in found)
    rate = 2.0 * cases * items * WIDTH / seconds
    return {
        "items": items,
        "cases": cases,
        "system": name,
        "mode": mode,
        "seconds": seconds,
        "cases/s": cases / seconds,
        "gflops": rate / 1e9,
        "of peak": rate / 1e9 / peak,
        "peak gflops": peak,
        "peak by": peak_by(),
        "memory mb": max(one["memory_mb"] for one in found),
    }


def claims(rows: list[Mapping[str, Any]]) -> list[Claim]:
    def best(system: str, items: int, mode: str | None = None) -> Mapping[str, Any]:
        chosen = [
            row for row in rows
            if row["system"] == system and row["items"] == items and mode in (None, row["mode"])
        ]  # fmt: skip
        return min(chosen, key=lambda row: row["seconds"])

    small, large = sorted({row["items"] for row in rows})
    found: list[Claim] = []
    for peer, items, way, target in (
        ("RecBole", small, RECBOLE_DEFAULT, 5.0),
        ("RecBole", small, None, 5.0),
        ("RecTools", large, None, 2.5),
    ):
        theirs = best(peer, items, way)["seconds"]
        for mode in ("ranks", "ranks and lists"):
            ours = best("RecDistill", items, mode)["seconds"]
            what = f"times as fast as {peer} ({way or 'its fastest'}) at {items:,} items, {mode}"
            found.append(Claim(what, theirs / ours, target))
    for items in (small, large):
        share = best("RecDistill", items, "ranks")["of peak"]
        found.append(Claim(f"share of FMA peak at {items:,} items, ranks", share, 0.35))
        memory = max(
            row["memory mb"]
            for row in rows
            if row["system"] == "RecDistill" and row["items"] == items
        )
        found.append(
            Claim(f"MB of memory on top of the inputs at {items:,} items", memory, 256.0, "at most")
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    options = parser.parse_args()
    small, large = SIZES[options.size]
    rows: list[dict[str, Any]] = []
    for items, peer in ((small, "RecBole"), (large, "RecTools")):
        script = f"{PEERS[peer]}_worker.py"
        contestants = [
            Contestant("RecDistill", Path(sys.executable), "recdistill_worker.py"),
            Contestant(peer, environment_of(PEERS[peer]), script),
        ]
        rows += compare(contestants, SIZES[options.size][items], items)
    finish("evaluation", options.size, rows, claims(rows))


if __name__ == "__main__":
    main()
