"""A training that is killed again and again ends with the very weights of one that never was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NURSERY = Path(__file__).with_name("nursery.py")


def raise_trainings(folder: Path, manner: str, **wanted) -> list[dict]:
    source = Path(__import__("recdistill").__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(NURSERY), str(folder), manner, json.dumps(wanted)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def scalars(folder: Path) -> list[dict]:
    """What trackers were told, without what depends on the speed of the machine."""
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


def assert_same_outcome(folder: Path, uninterrupted: Path) -> None:
    assert result(folder) == result(uninterrupted)
    assert scalars(folder) == scalars(uninterrupted)
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == sorted(path.name for path in (uninterrupted / "checkpoints").iterdir())


def assert_killed(endings: list[dict], at_least: int) -> None:
    assert not [ending for ending in endings if "error" in ending]
    first, *before, last = endings
    assert first["code"] == 0
    assert last["code"] == 0
    assert sum(ending["code"] == -9 for ending in before) >= at_least


def test_a_few_kills(tmp_path):
    endings = raise_trainings(tmp_path, "random", seed=1, kills=6, seconds=0.4, calls=100)
    assert_killed(endings, at_least=4)
    assert_same_outcome(tmp_path / "killed", tmp_path / "uninterrupted")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(4))
def test_many_kills(tmp_path, seed):
    """Four chains of twelve and more kills, half of them at a system call of a checkpoint's writing."""
    endings = raise_trainings(tmp_path, "random", seed=100 + seed, kills=14, seconds=0.35, calls=60)
    assert_killed(endings, at_least=12)
    assert_same_outcome(tmp_path / "killed", tmp_path / "uninterrupted")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_every_call_of_the_first_checkpoints(tmp_path):
    """Killed at its first flush, rename or removal, then at its second, and so on."""
    calls = 45
    endings = raise_trainings(tmp_path, "each", calls=calls)
    assert [ending["code"] for ending in endings] == [0] + [-9, 0] * calls
    for call in range(1, calls + 1):
        assert_same_outcome(tmp_path / str(call), tmp_path / "uninterrupted")
