from __future__ import annotations

import shutil

import pytest

from recdistill.pipeline.stages import Stage, StageRunner


@pytest.fixture
def told():
    return []


@pytest.fixture
def runner(tmp_path, told):
    return StageRunner(tmp_path / "run", told.append)


class Work:
    """A stage's function that counts its calls and writes what it is told."""

    def __init__(self, text="result", fails=False):
        self.text, self.fails, self.calls = text, fails, 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "part").mkdir(parents=True, exist_ok=True)
        (folder / "part" / "file.txt").write_text(self.text)
        if self.fails:
            raise KeyboardInterrupt


def test_a_finished_stage_is_reused(runner, told):
    work = Work()
    first = runner.run(Stage("teacher", "k1", work))
    second = runner.run(Stage("teacher", "k1", work))
    assert (first.made, second.made, work.calls) == (True, False, 1)
    assert second.seconds == first.seconds
    assert told == ["teacher: unchanged, reused"]


def test_a_stage_is_current_when_running_it_would_reuse_it(runner):
    stage, another = (Stage("report", key, Work()) for key in ("k1", "k2"))
    assert runner.current(stage) is None
    folder = runner.run(stage).folder
    assert runner.current(stage) == folder
    assert runner.current(another) is None
    (folder / "part/file.txt").write_text("resulT")
    assert runner.current(stage) is None


def test_an_unfinished_stage_is_not_current(runner):
    stage = Stage("report", "k", Work(fails=True))
    with pytest.raises(KeyboardInterrupt):
        runner.run(stage)
    assert runner.current(stage) is None


def test_another_key_makes_the_stage_again_and_keeps_the_old_result_aside(runner):
    runner.run(Stage("student/seed-0", "k1", Work("old")))
    outcome = runner.run(Stage("student/seed-0", "k2", Work("new")))
    assert (outcome.folder / "part/file.txt").read_text() == "new"
    aside = runner.folder / ".previous/student/seed-0/part/file.txt"
    assert aside.read_text() == "old"
    runner.run(Stage("student/seed-0", "k3", Work("newer")))
    assert aside.read_text() == "new"


@pytest.mark.parametrize("harm", ["flip", "delete", "remove folder"])
def test_a_damaged_result_is_noticed_and_made_again(runner, told, harm):
    work = Work()
    folder = runner.run(Stage("signals", "k", work)).folder
    if harm == "flip":
        (folder / "part/file.txt").write_text("resulT")
    elif harm == "delete":
        (folder / "part/file.txt").unlink()
    else:
        shutil.rmtree(folder)
    outcome = runner.run(Stage("signals", "k", work))
    assert outcome.made
    assert (folder / "part/file.txt").read_text() == "result"
    assert "made again" in told[0]


def test_an_interrupted_stage_goes_on_from_what_it_left(runner):
    with pytest.raises(KeyboardInterrupt):
        runner.run(Stage("student", "k", Work("half", fails=True)))

    def resume(folder):
        assert (folder / "part/file.txt").read_text() == "half"
        (folder / "part/file.txt").write_text("whole")

    outcome = runner.run(Stage("student", "k", resume))
    assert outcome.made
    assert (outcome.folder / "part/file.txt").read_text() == "whole"


def test_an_interrupted_stage_of_another_key_starts_afresh(runner):
    with pytest.raises(KeyboardInterrupt):
        runner.run(Stage("student", "k1", Work("half", fails=True)))
    seen = []
    runner.run(Stage("student", "k2", lambda folder: seen.append(folder.exists())))
    assert seen == [False]


def test_the_earlier_key_takes_its_result_back(runner):
    old, new = Work("old"), Work("new")
    runner.run(Stage("student/seed-0", "k1", old))
    runner.run(Stage("student/seed-0", "k2", new))
    for key, text in (("k1", "old"), ("k2", "new"), ("k1", "old")):
        outcome = runner.run(Stage("student/seed-0", key, Work("neither")))
        assert not outcome.made
        assert (outcome.folder / "part/file.txt").read_text() == text
    assert (old.calls, new.calls) == (1, 1)


def test_half_a_result_does_not_drive_out_a_whole_one(runner):
    whole, half = Work("whole"), Work("half", fails=True)
    runner.run(Stage("teacher", "k1", whole))
    for key in ("k2", "k3"):
        with pytest.raises(KeyboardInterrupt):
            runner.run(Stage("teacher", key, half))
    outcome = runner.run(Stage("teacher", "k1", whole))
    assert (outcome.made, whole.calls) == (False, 1)
    half.fails = False
    assert runner.run(Stage("teacher", "k3", half)).made


def test_what_a_killed_process_left_half_written_goes(runner):
    with pytest.raises(KeyboardInterrupt):
        runner.run(Stage("student/seed-0", "k", Work("half", fails=True)))
    folder = runner.folder / "student/seed-0"
    litter = [folder / "part/.file.txt.x1.tmp", folder / ".model.77.tmp"]
    litter += [folder.with_name(".seed-0.77.old"), runner.folder / ".stages/.teacher.json.y.tmp"]
    mine = folder.with_name(".notes.tmp")
    for path in (*litter, mine):
        path.write_text("half")
    runner.run(Stage("student/seed-0", "k", Work("whole")))
    assert [path for path in litter if path.exists()] == []
    assert mine.exists()


def test_a_damaged_record_counts_as_not_done(runner):
    work = Work()
    runner.run(Stage("teacher", "k", work))
    (runner.folder / ".stages/teacher.json").write_text("{")
    runner.run(Stage("teacher", "k", work))
    assert work.calls == 2


def test_a_stage_that_needs_no_files_is_remembered_too(runner):
    calls = []
    stage = Stage("nothing", "k", calls.append)
    runner.run(stage)
    runner.run(stage)
    assert len(calls) == 1


def test_what_another_stage_made_of_the_same_key_is_found(runner):
    assert runner.made("k1") is None
    folder = runner.run(Stage("finals/loud", "k1", Work())).folder
    assert runner.made("k1") == folder
    assert runner.made("k2") is None
    (folder / "part/file.txt").write_text("resulT")
    assert runner.made("k1") is None


def test_neither_half_a_result_nor_one_set_aside_is_found(runner):
    with pytest.raises(KeyboardInterrupt):
        runner.run(Stage("finals/loud", "half", Work(fails=True)))
    assert runner.made("half") is None
    runner.run(Stage("finals/soft", "old", Work("old")))
    runner.run(Stage("finals/soft", "new", Work("new")))
    assert runner.made("old") is None
    assert runner.made("new") is not None
