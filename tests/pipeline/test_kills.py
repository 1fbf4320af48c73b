"""A run that is killed at any moment and started again ends with what it would have ended with."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import recdistill

MEASURED = ("seconds", "latency", "timing")
"""Parts of the names of numbers that depend on the speed of the machine."""

COMMAND = "from recdistill.cli import main; main()"


class Kill(NamedTuple):
    """A moment: so many seconds after a stage began."""

    stage: str
    after: float


def start(config: Path, folder: Path) -> subprocess.Popen[bytes]:
    source = Path(recdistill.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", config, "--into", folder, "--quiet"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def events(folder: Path) -> list[dict]:
    """What the log says, without a last line that is being written or was cut short."""
    log = folder / "log.jsonl"
    text = log.read_text() if log.exists() else ""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def kill_at(kill: Kill, config: Path, folder: Path) -> bool:
    """Start the run and kill it at the moment; whether the kill met a living process."""
    known = len(events(folder))
    process = start(config, folder)
    while process.poll() is None:
        begun = (one["name"] for one in events(folder)[known:] if one["event"] == "stage")
        if kill.stage in begun:
            break
        time.sleep(0.02)
    time.sleep(kill.after)
    process.kill()
    _, told = process.communicate()
    assert process.returncode in (0, -9), told.decode()
    return process.returncode == -9


def finish(config: Path, folder: Path) -> None:
    process = start(config, folder)
    _, told = process.communicate()
    assert process.returncode == 0, told.decode()


def durations(finished: Path) -> dict[str, float]:
    """How long each stage of an uninterrupted run took, in order."""
    done = [one for one in events(finished) if one["event"] == "stage done"]
    return {one["name"]: one["seconds"] for one in done}


def moments(stages: list[str], finished: Path, seed: int) -> list[Kill]:
    """A random moment in each of the stages."""
    draw, lasted = random.Random(seed), durations(finished)
    return [Kill(stage, draw.uniform(0.0, lasted[stage])) for stage in stages]


def steady(value):
    """JSON without what depends on the speed of the machine."""
    if isinstance(value, dict):
        return {
            name: steady(part)
            for name, part in value.items()
            if not any(word in name for word in MEASURED)
        }
    return [steady(part) for part in value] if isinstance(value, list) else value


def outcome(folder: Path) -> dict:
    """Everything that a run is for: the bytes of weights and signals, and the numbers."""
    patterns = ("student*/*/model/*", "teacher/model/*", "signals/*/*.safetensors")
    files = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    told = [folder / "report/metrics.json", *sorted(folder.glob("signals/*/manifest.json"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files} | {
        str(path.relative_to(folder)): steady(json.loads(path.read_text())) for path in told
    }


def assert_same_outcome(folder: Path, finished: Path) -> None:
    mine, theirs = outcome(folder), outcome(finished)
    assert sum(name.startswith("student") for name in theirs) >= 4
    assert mine.keys() == theirs.keys()
    assert [name for name in theirs if mine[name] != theirs[name]] == []
    litter = [path for pattern in (".*.tmp", ".*.old") for path in folder.rglob(pattern)]
    assert litter == []
    assert not list(folder.rglob("checkpoints"))


def test_two_kills(config_file, finished_run, tmp_path):
    folder = tmp_path / "run"
    kills = moments(["teacher", "student/seed-1"], finished_run, seed=7)
    assert [kill_at(kill, config_file, folder) for kill in kills] == [True, True]
    finish(config_file, folder)
    assert_same_outcome(folder, finished_run)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_kills_in_every_stage(config_file, finished_run, tmp_path, record_property):
    """Two runs, each killed once in every stage and once more in two of them."""
    stages = list(durations(finished_run))
    met = 0
    for seed in (1, 2):
        again = random.Random(seed).sample(stages[:-1], 2)
        folder = tmp_path / f"run-{seed}"
        for kill in moments(sorted([*stages, *again], key=stages.index), finished_run, seed):
            met += kill_at(kill, config_file, folder)
        finish(config_file, folder)
        assert_same_outcome(folder, finished_run)
    record_property("kills", met)
    print(f"{met} kills of living processes")
    assert met >= 20
