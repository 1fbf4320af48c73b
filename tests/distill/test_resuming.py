"""A training with an average, bridges and side doors that is killed ends with the very weights of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LIVING = Path(__file__).with_name("living.py")


def ending(folder: Path, *calls: int) -> tuple[list[int], dict]:
    source = Path(__import__("recdistill").__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(LIVING), str(folder), *map(str, calls)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [*map(int, done.stdout.split())], json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    codes, result = ending(tmp_path_factory.mktemp("whole") / "run", 0)
    assert codes == [0]
    return result


def test_a_killed_training_ends_the_same(whole, tmp_path):
    assert whole["calls"] == 18
    codes, result = ending(tmp_path / "run", 2, 9, 7, 0)
    assert codes == [-9, -9, -9, 0]
    assert result["calls"] < whole["calls"] - 8, "it went on from where it was killed"
    assert result["weights"] == whole["weights"]
    assert result["losses"] == whole["losses"]


def test_every_term_was_there(whole):
    names = {"next-item", "kl", "early", "hint", "mean-hint", "attention-map", "value-relation"}
    assert {*names, "input-gradient", "mutual", "peer", "peer/kl"} <= set(whole["losses"])
