"""Trackers: every line once, whatever happens; and no package that nobody asked for."""

from __future__ import annotations

import importlib.util
import json
import sys
import types

import pytest
from toys import Witness

from recdistill.errors import MissingExtraError, StorageError
from recdistill.training.options import RunOptions
from recdistill.training.trackers import JsonLines, Trackers, open_trackers, opening
from recdistill.training.trackers.mlflow import MLflow
from recdistill.training.trackers.tensorboard import TensorBoard
from recdistill.training.trackers.wandb import WeightsAndBiases

CONFIG = {"training": {"epochs": 3}, "seed": 1}


def talk(tracker, start, stop):
    tracker.start(CONFIG, start)
    for step in range(start + 1, stop + 1):
        tracker.scalars(step, {"train/loss": 1 / step})
    tracker.flush()


def said(path):
    first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {"config": CONFIG}
    return lines


def expected(stop):
    return [{"step": step, "train/loss": 1 / step} for step in range(1, stop + 1)]


def test_lines_of_json(tmp_path):
    tracker = JsonLines(tmp_path / "deep" / "training.jsonl")
    talk(tracker, 0, 3)
    assert said(tracker.path) == expected(3)
    tracker.close()
    tracker.close()


def test_lines_after_the_checkpoint_are_said_again_once(tmp_path):
    path = tmp_path / "training.jsonl"
    talk(JsonLines(path), 0, 7)
    talk(JsonLines(path), 4, 9)
    assert said(path) == expected(9)


def test_a_new_training_in_an_old_folder_starts_a_new_file(tmp_path):
    path = tmp_path / "training.jsonl"
    talk(JsonLines(path), 0, 7)
    talk(JsonLines(path), 0, 2)
    assert said(path) == expected(2)


def test_a_line_torn_at_any_byte_goes(tmp_path):
    path = tmp_path / "training.jsonl"
    talk(JsonLines(path), 0, 4)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        talk(JsonLines(path), 3, 4)
        assert said(path) == expected(4)


@pytest.mark.parametrize("say", [lambda it: it.scalars(1, {"loss": 1.0}), lambda it: it.flush()])
def test_a_full_disk_is_told(tmp_path, monkeypatch, say):
    tracker = JsonLines(tmp_path / "training.jsonl")
    tracker.start(CONFIG, 0)
    tracker.path.unlink()
    tracker.path.symlink_to("/dev/full")
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        say(tracker)


def full_disk(handle):
    raise OSError(28, "No space left on device")


def test_several_hear_the_same():
    first, second = Witness(), Witness()
    trackers = Trackers([first, second])
    talk(trackers, 0, 3)
    trackers.close()
    assert first.said == second.said != []
    assert first.starts == second.starts
    assert (first.flushes, second.closed) == (1, 1)


# Which trackers there are.


def kinds(run, told=None):
    return [type(part) for part in open_trackers(run, (told or []).append).members]


def test_json_lines_are_always_there_with_a_folder(tmp_path):
    assert kinds(RunOptions(folder=tmp_path, trackers=())) == [JsonLines]
    assert kinds(RunOptions(folder=tmp_path)) == [JsonLines, TensorBoard]
    assert kinds(RunOptions()) == []


def test_trackers_of_the_callers_own(tmp_path):
    witness = Witness()
    run = RunOptions(folder=tmp_path, trackers=(witness, "tensorboard"))
    assert kinds(run) == [JsonLines, Witness, TensorBoard]


def hide(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)


def test_a_missing_tensorboard_is_said_once_and_that_is_all(tmp_path, monkeypatch):
    hide(monkeypatch, "torch.utils.tensorboard")
    monkeypatch.setattr(opening, "_told", [])
    told = []
    for _ in range(2):
        open_trackers(RunOptions(folder=tmp_path), told.append)
    (line,) = told
    assert "pip install 'recdistill[train]'" in line


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_another_missing_tracker_is_an_error(tmp_path, monkeypatch, name):
    hide(monkeypatch, name)
    with pytest.raises(MissingExtraError, match="track"):
        open_trackers(RunOptions(folder=tmp_path, trackers=(name,)), print)


# TensorBoard, read back with TensorBoard's own reader.


def scalars_of(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("train/loss")]


def test_tensorboard_sees_every_step_once(tmp_path):
    for start, stop in ((0, 5), (3, 8)):
        tracker = TensorBoard(tmp_path, "student")
        talk(tracker, start, stop)
        tracker.close()
    found = scalars_of(tmp_path)
    assert [step for step, _ in found] == list(range(1, 9))
    assert [value for _, value in found] == pytest.approx([1 / step for step in range(1, 9)])


def test_closing_what_was_not_started_is_nothing(tmp_path):
    tracker = TensorBoard(tmp_path, "student")
    tracker.scalars(1, {"x": 1.0})
    tracker.flush()
    tracker.close()
    assert list(tmp_path.iterdir()) == []


# W&B and MLflow, against records of what they are asked for (their packages are optional).


class FakeWandb(types.ModuleType):
    def __init__(self):
        super().__init__("wandb")
        self.runs, self.rows, self.finished = [], [], 0

    def init(self, **options):
        self.runs.append(options)
        return self

    def log(self, values, step):
        self.rows.append((step, values))

    def finish(self):
        self.finished += 1


def test_wandb_goes_on_under_the_same_id(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for start, stop in ((0, 2), (2, 3)):
        tracker = WeightsAndBiases(tmp_path, "student")
        talk(tracker, start, stop)
        tracker.close()
    first, second = fake.runs
    assert first == second
    assert first["config"] == CONFIG
    assert first["resume"] == "allow"
    assert fake.rows == [(step, {"train/loss": 1 / step}) for step in (1, 2, 3)]
    assert fake.finished == 2
    WeightsAndBiases(tmp_path, "twin").start(CONFIG, 0)
    assert fake.runs[-1]["id"] != first["id"]


class FakeMlflow(types.ModuleType):
    def __init__(self):
        super().__init__("mlflow")
        self.uri, self.experiments, self.runs, self.metrics, self.ended = None, {}, [], [], []
        self.params = {}

    def MlflowClient(self, tracking_uri):  # noqa: N802
        self.uri = tracking_uri
        return self

    def get_experiment_by_name(self, name):
        number = self.experiments.get(name)
        return number and types.SimpleNamespace(experiment_id=number)

    def create_experiment(self, name):
        self.experiments[name] = "7"
        return "7"

    def create_run(self, experiment, run_name):
        assert experiment == "7"
        self.runs.append(run_name)
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=f"run{len(self.runs)}"))

    def log_param(self, run, name, value):
        self.params[name] = value

    def log_metric(self, run, name, value, step):
        self.metrics.append((run, name, value, step))

    def set_terminated(self, run):
        self.ended.append(run)


def test_mlflow_goes_on_in_the_same_run(tmp_path, monkeypatch):
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for start, stop in ((0, 2), (2, 3)):
        tracker = MLflow(tmp_path, "student")
        talk(tracker, start, stop)
        tracker.close()
    assert fake.runs == ["student"]
    assert fake.uri.startswith("file://")
    assert fake.params == CONFIG
    assert fake.metrics == [("run1", "train/loss", 1 / step, step) for step in (1, 2, 3)]
    assert fake.ended == ["run1", "run1"]
    MLflow(tmp_path, "student").start(CONFIG, 0)
    assert len(fake.runs) == 2


def test_mlflow_has_no_at_sign(tmp_path, monkeypatch):
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker")
    tracker = MLflow(tmp_path, "student")
    tracker.start(CONFIG, 0)
    tracker.scalars(1, {"validation/ndcg@10": 0.5})
    assert fake.uri == "http://tracker"
    assert fake.metrics == [("run1", "validation/ndcg-at-10", 0.5, 1)]


@pytest.mark.skipif(not importlib.util.find_spec("mlflow"), reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")
def test_mlflow_itself(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for start, stop in ((0, 3), (2, 4)):
        tracker = MLflow(tmp_path, "student")
        talk(tracker, start, stop)
        tracker.close()
    run_id = (tmp_path / "mlflow-run-id").read_text().strip()
    history = tracker._client.get_metric_history(run_id, "train/loss")
    assert {(point.step, point.value) for point in history} == {
        (step, 1 / step) for step in range(1, 5)
    }


@pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="wandb is not installed")
@pytest.mark.filterwarnings("default")
def test_wandb_itself_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = WeightsAndBiases(tmp_path, "student")
    talk(tracker, 0, 3)
    tracker.close()
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
