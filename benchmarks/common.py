"""What every benchmark shares: where it ran, how its figures are kept, and how they are shown.

A benchmark prints a table and writes `benchmarks/results/NAME.json`; a claim that does not hold is
written as not holding.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
_PEAK_SOURCE = Path(__file__).resolve().parent / "evaluation_workers" / "fma_peak.c"
_PACKAGES = ("numpy", "polars", "pyarrow", "pandas", "duckdb", "torch", "onnxruntime")


_TORCH = "torch==2.13.0"
_PEERS = {
    "rectools": ("rectools[torch]==0.19.0",),
    "replay": ("replay-rec[torch]==0.22.0", "lightning"),
    "recbole": ("recbole",),
    "sentence-transformers": ("sentence-transformers==6.2.0",),
}


@dataclass(frozen=True)
class Claim:
    """Something said of a measured value: that it is at least, or at most, a target."""

    claim: str
    value: float
    target: float
    bound: Literal["at least", "at most"] = "at least"
    holds: bool = field(init=False)

    def __post_init__(self) -> None:
        holds = self.value >= self.target if self.bound == "at least" else self.value <= self.target
        object.__setattr__(self, "holds", bool(holds))

    def __str__(self) -> str:
        mark = "holds" if self.holds else "DOES NOT HOLD"
        return f"{mark}: {self.claim}: {self.value:.4g} ({self.bound} {self.target:.4g})"


def environment_of(peer: str) -> Path:
    """The interpreter of a peer's own environment, installed on first use."""
    # Not above: peers import this file too, from environments that lack it.
    from platformdirs import user_cache_path

    folder = user_cache_path("recdistill") / "benchmarks" / peer
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        for packages in ((_TORCH,), _PEERS[peer]):
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        (folder / ".complete").touch()
    return python


def environment() -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def write(
    name: str,
    size: str,
    rows: Sequence[Mapping[str, Any]],
    claims: Sequence[Claim],
    folder: Path = RESULTS,
) -> Path:
    """Keep the figures of a benchmark as `results/NAME.json` and return its path."""
    record = {
        "environment": environment(),
        "size": size,
        "commit": _commit(),
        "rows": [dict(row) for row in rows],
        "claims": [asdict(claim) for claim in claims],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table, aligned so that a terminal shows it well too."""
    if not rows:
        return "(no rows)"
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def finish(
    name: str, size: str, rows: Sequence[Mapping[str, Any]], claims: Sequence[Claim]
) -> None:
    """Print the table and the claims, and keep them."""
    print(table(rows))
    for claim in claims:
        print(claim)
    print(f"written: {write(name, size, rows, claims)}", file=sys.stderr)


def peak_gflops(threads: int = 1) -> float:
    """What `threads` cores can do in fused multiply-adds just now, in GFLOP/s of float32.

    The most that any of these reach: a loop of multiply-adds that never leaves the registers (in C, one
    core, times the threads; left out where there is no C compiler), `torch.mm`, and our own `product`.
    The loop alone knows no memory; the products alone know only what their library can do on this
    processor. Call it in each round, so that it meets the same weather as what is measured beside it.
    """
    return max(threads * _register_loop(), *_products(threads))


def peak_by() -> str:
    """How `peak_gflops` is measured here."""
    return "C loop and products" if _peak_program() else "products (no C compiler)"


def _register_loop() -> float:
    program = _peak_program()
    if program is None:
        return 0.0
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0]) / 1e9


@cache
def _peak_program() -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = tempfile.TemporaryDirectory(prefix="recdistill-peak-")
    atexit.register(folder.cleanup)
    program = Path(folder.name) / "fma_peak"
    options = ["-O3", "-march=native", "-ffp-contract=fast"]
    subprocess.run([compiler, *options, _PEAK_SOURCE, "-o", program], check=True)
    return program


def _products(threads: int) -> list[float]:
    """The rates of torch's product and ours, on squares; the best of a few."""
    import torch

    from recdistill.models.products import product

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    one, other = torch.randn(1024, 1024), torch.randn(1024, 1024)
    found: list[float] = []
    for multiply in (torch.mm, product):
        best = float("inf")
        for _ in range(4):
            began = time.perf_counter()
            multiply(one, other)
            best = min(best, time.perf_counter() - began)
        found.append(2 * 1024**3 / best / 1e9)
    torch.set_num_threads(before)
    return found


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e4 else _plain(value)


def _plain(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) and value is not True else str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """The commit that was measured, marked `+` where the working tree had changes."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
