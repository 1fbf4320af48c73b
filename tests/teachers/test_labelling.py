from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from asked import KINDS, Speaker

from recdistill.errors import ConfigError, SignalError, StorageError
from recdistill.files import read_json
from recdistill.progress import LineProgress
from recdistill.signals import HardLabel, ItemVectors, TopK
from recdistill.teachers import label
from recdistill.teachers.speech import speak


@pytest.fixture
def speaker(fixed):
    return Speaker(fixed())


def content(folder: Path) -> dict[str, object]:
    """All that labelling wrote, but the time it took."""
    files: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            files[str(path.relative_to(folder))] = {**read_json(path), "seconds": 0}
        elif path.is_file():
            files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def test_every_training_event_finds_what_the_teacher_said_about_it(speaker, tiny_dataset, tmp_path):
    signals = label(speaker, tiny_dataset, tmp_path, KINDS)
    contexts = tiny_dataset.contexts()
    said = speak(speaker.recommender, contexts.histories, KINDS[:1] + KINDS[2:])
    for kind in ("top-k", "user-vectors", "hard-label"):
        rows = signals[kind].find(contexts.keys)
        assert (rows >= 0).all()
        read = signals[kind].read(rows)
        for name, values in said[kind].items():
            np.testing.assert_allclose(read[name], values, rtol=2e-3, atol=2e-3)
    signals.verify()


def test_item_vectors_are_found_by_item_key(speaker, tiny_dataset, tmp_path):
    signals = label(speaker, tiny_dataset, tmp_path, [ItemVectors()])
    rows = signals["item-vectors"].find(tiny_dataset.item_keys)
    vectors = signals["item-vectors"].read(rows)["vectors"]
    np.testing.assert_array_equal(vectors, speaker.item_vectors())
    assert speaker.asked == []


def test_each_distinct_context_is_asked_about_once(speaker, tiny_dataset, tmp_path):
    label(speaker, tiny_dataset, tmp_path, KINDS)
    distinct = np.unique(tiny_dataset.contexts().keys)
    assert sorted(speaker.asked) == distinct.tolist()
    label(speaker, tiny_dataset, tmp_path, KINDS)
    assert len(speaker.asked) == len(distinct)


def test_a_kind_added_later_asks_for_that_kind_alone(speaker, tiny_dataset, tmp_path):
    label(speaker, tiny_dataset, tmp_path / "a", KINDS[:1])
    label(speaker, tiny_dataset, tmp_path / "a", KINDS)
    label(speaker, tiny_dataset, tmp_path / "b", KINDS)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_the_manifest_says_who_spoke_about_what_and_for_how_long(speaker, tiny_dataset, tmp_path):
    signals = label(speaker, tiny_dataset, tmp_path, [TopK(k=6, temperature=2.0)])
    manifest = read_json(tmp_path / "top-k" / "manifest.json")
    assert manifest["teacher"] == speaker.identity().model_dump(mode="json")
    assert manifest["dataset"]["fingerprint"] == tiny_dataset.fingerprint
    assert (manifest["kind"]["k"], manifest["kind"]["temperature"]) == (6, 2.0)
    assert signals.seconds > 0
    assert signals["top-k"].manifest.rows_per_second > 0


def test_progress_shows_rate_and_time_left(speaker, tiny_dataset, tmp_path):
    ticks = iter(np.arange(0.0, 1e5, 10.0).tolist())
    with (tmp_path / "log").open("w") as stream:
        progress = LineProgress(stream, seconds=1.0, clock=lambda: next(ticks))
        label(speaker, tiny_dataset, tmp_path / "s", KINDS, progress, shard_rows=300)
    shown = (tmp_path / "log").read_text()
    assert "contexts/s" in shown
    assert "left" in shown


def test_what_the_teacher_cannot_say_is_refused_before_anything_is_written(
    fixed, tiny_dataset, tmp_path
):
    with pytest.raises(ConfigError, match="cannot say 'item-vectors'") as caught:
        label(Speaker(fixed(factorised=False)), tiny_dataset, tmp_path / "s", KINDS)
    assert "hard-label, top-k" in caught.value.hint
    assert not (tmp_path / "s").exists()


def test_the_same_kind_twice_is_refused(speaker, tiny_dataset, tmp_path):
    with pytest.raises(ConfigError, match="twice"):
        label(speaker, tiny_dataset, tmp_path, [TopK(k=5), TopK(k=6)])


def test_another_teacher_may_not_add_to_a_folder(fixed, tiny_dataset, tmp_path):
    label(Speaker(fixed()), tiny_dataset, tmp_path, [TopK(k=5)])
    with pytest.raises(SignalError, match=r"teacher\.revision: expected"):
        label(Speaker(fixed(seed=1)), tiny_dataset, tmp_path, [TopK(k=5)])
    with pytest.raises(SignalError, match=r"teacher\.revision: expected"):
        label(Speaker(fixed(seed=1)), tiny_dataset, tmp_path, [HardLabel()])


@pytest.mark.parametrize("failing_write", range(1, 12))
def test_a_disk_that_fills_up_at_any_write_loses_nothing(
    fixed, tiny_dataset, tmp_path, monkeypatch, failing_write
):
    """The first, second … n-th write fails; called again, the result is the uninterrupted one."""
    label(Speaker(fixed()), tiny_dataset, tmp_path / "whole", KINDS, shard_rows=400)
    replace, writes = Path.replace, []

    def full(self, target):
        writes.append(target)
        if len(writes) == failing_write:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match="No space left"):
            label(Speaker(fixed()), tiny_dataset, tmp_path / "again", KINDS, shard_rows=400)
    label(Speaker(fixed()), tiny_dataset, tmp_path / "again", KINDS, shard_rows=400)
    assert content(tmp_path / "again") == content(tmp_path / "whole")


_WORKER = """
import os, sys, time
from recdistill.data.dataset import Dataset
from recdistill.signals import HardLabel, ItemVectors, TopK, UserVectors
from recdistill.teachers import RecommenderTeacher, label

dataset = Dataset.open(sys.argv[1])
kinds = [TopK(k=6), ItemVectors(), UserVectors(), HardLabel()]
teacher = RecommenderTeacher.of(model={"kind": "popularity"}).fit(dataset)
print("ready", flush=True)
while into := sys.stdin.readline().strip():
    child = os.fork()
    if not child:
        label(teacher, dataset, into, kinds, shard_rows=100)
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()  # not reaped before, so that nobody else can get the number and be killed
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Worker:
    """A process that labels in children of its own, so that one can be killed without new imports."""

    def __init__(self, dataset: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(dataset)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def label(self, into: Path, kill_after: float | None = None) -> bool:
        """Label into a folder; whether it was killed before it was done."""
        child = int(self._answer_to(into))
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        status = int(self._answer_to("reap"))
        assert status in (0, signal.SIGKILL)
        return status == signal.SIGKILL

    def _answer_to(self, line: object) -> str:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def worker(tiny_dataset):
    worker = Worker(tiny_dataset.folder)
    yield worker
    worker.close()


def test_killed_at_random_moments_the_result_is_the_uninterrupted_one(worker, tmp_path):
    """20 real SIGKILLs at random moments; afterwards the same files, byte for byte."""
    began = time.monotonic()
    assert not worker.label(tmp_path / "whole")
    lasted = time.monotonic() - began
    whole, chance = content(tmp_path / "whole"), random.Random(5)
    kills, stopped_at, folder, number = 0, set(), tmp_path / "killed-0", 0
    while kills < 20:
        if worker.label(folder, kill_after=chance.uniform(0, lasted * 0.6)):
            kills += 1
            stopped_at.add(len(list(folder.glob("*/shard-*"))))
        else:
            assert content(folder) == whole
            number += 1
            folder = tmp_path / f"killed-{number}"
    worker.label(folder)
    assert content(folder) == whole
    assert len(stopped_at) > 5  # the kills hit different places
