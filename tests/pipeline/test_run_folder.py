from __future__ import annotations

import json
import multiprocessing
import os

import pytest

from recdistill.errors import RecDistillError, StorageError
from recdistill.pipeline.run_folder import RunFolder, environment


def _hold(path, ready, finish):
    with RunFolder(path).locked():
        ready.set()
        finish.wait(30)


def test_one_process_at_a_time(tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    ready, finish = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "run", ready, finish))
    other.start()
    try:
        assert ready.wait(30)
        with (
            pytest.raises(RecDistillError, match="Another process"),
            RunFolder(tmp_path / "run").locked(),
        ):
            pass
    finally:
        finish.set()
        other.join()
    with RunFolder(tmp_path / "run").locked():
        pass


def test_the_log_grows_by_lines_of_json(tmp_path):
    run = RunFolder(tmp_path)
    run.note("stage", name="teacher", seconds=1.5)
    run.note("done")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["stage", "done"]
    assert lines[0]["name"] == "teacher"


def test_the_environment_names_what_decides_a_result(tmp_path):
    facts = RunFolder(tmp_path).record_environment()
    assert facts == json.loads((tmp_path / "environment.json").read_text())
    assert {"python", "processor", "packages"} <= set(facts)
    assert "polars" in facts["packages"]
    assert environment()["python"].startswith("3.")


def test_a_folder_that_cannot_be_made_or_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="Cannot make the run folder"),
        RunFolder(tmp_path / "file" / "run").locked(),
    ):
        pass
    with pytest.raises(StorageError, match="Cannot write"):
        RunFolder(tmp_path / "absent").note("x")
