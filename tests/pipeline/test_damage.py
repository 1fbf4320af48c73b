"""A run that meets damaged files, a full disk, a read-only folder or Ctrl-C loses nothing and goes on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import yaml

import recdistill
from recdistill.cli.app import run
from recdistill.models.recommender import Recommender
from recdistill.training import keeper

COMMAND = "from recdistill.cli import main; main()"
MADE_ANEW = ("config.yaml", "environment.json", "log.jsonl", ".lock")
"""What every command writes into a run folder, whatever comes of it."""


@pytest.fixture
def copied_run(finished_run, tmp_path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "copy")


def contents(folder: Path, *stages: str) -> dict[str, bytes]:
    """Every file of a run that only its stages may change."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for stage in stages or ("",)
        for path in sorted((folder / stage).rglob("*"))
        if path.is_file() and path.name not in MADE_ANEW
    }


def weights(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.glob("student*/seed-*/model/*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Leave only the beginning of a file."""
    path.write_bytes(path.read_bytes()[:50])


HARMS = {"flip": flip, "cut": cut, "remove": Path.unlink}


def made(folder: Path) -> list[str]:
    """The stages made (not reused) by the last command."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    begun = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [one["name"] for one in lines[begun:] if one["event"] == "stage done" and one["made"]]


def assert_told(told: str, *words: str) -> None:
    assert [word for word in words if word not in told] == [], told
    assert "Traceback" not in told
    assert "Internal error" not in told


def command(*arguments: object, **options) -> subprocess.Popen[str]:
    source = Path(recdistill.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def small_files(size: int) -> Generator[None]:
    """Nothing that this process writes may grow beyond `size` bytes."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


# A run that is there


def test_a_changed_log_that_is_bad_costs_nothing(copied_run, config_file, tmp_path, capsys):
    """The earlier run stays whole, and is used again as soon as the log is good."""
    before = contents(copied_run, "teacher", "signals", "student", "report", "bundle", "dataset")
    bad = tmp_path / "bad.parquet"
    log = pl.read_parquet(
        Path(yaml.safe_load(config_file.read_text())["dataset"]["source"], "log.parquet")
    )
    log.with_columns(pl.col("timestamp").cast(pl.Float64) * float("nan")).write_parquet(bad)
    into = ["--into", str(copied_run)]
    assert run(["run", str(config_file), *into, "--set", f"dataset.source={bad}"]) == 3
    assert_told(capsys.readouterr().err, "not a finite number")
    assert run(["run", str(config_file), *into, "--quiet"]) == 0
    assert made(copied_run) == []
    after = contents(copied_run, "teacher", "signals", "student", "report", "bundle", "dataset")
    assert after == before


@pytest.mark.parametrize(
    ("file", "verb", "again"),
    [
        ("dataset/interactions.parquet", "label", ["dataset"]),
        ("teacher/model/model.safetensors", "label", ["teacher"]),
        ("teacher/teacher.json", "label", ["teacher"]),
        ("signals/item-vectors/manifest.json", "label", ["signals"]),
        ("student/seed-1/model/model.safetensors", "distill", ["student/seed-1"]),
        ("report/metrics.json", "evaluate", ["report"]),
    ],
)
def test_a_damaged_file_is_told_and_only_its_stage_made_again(
    copied_run, capsys, file, verb, again
):
    before = weights(copied_run)
    flip(copied_run / file)
    assert run([verb, str(copied_run)]) == 0
    assert_told(
        capsys.readouterr().err, f"{file.removeprefix(again[0] + '/')} is damaged; made again"
    )
    assert made(copied_run) == again
    assert weights(copied_run) == before


@pytest.mark.parametrize("file", ["model.onnx", "items.parquet", "manifest.json"])
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_bundle_gives_no_recommendations(copied_run, capsys, file, harm):
    HARMS[harm](copied_run / "bundle" / file)
    assert run(["recommend", str(copied_run / "bundle"), "--history", "i0001"]) == 6
    assert_told(capsys.readouterr().err, file)


@pytest.mark.parametrize("content", [b"dataset: [", b"\xff\xfe", b"", b"- 1\n"])
def test_a_damaged_configuration_is_told(copied_run, capsys, content):
    (copied_run / "config.yaml").write_bytes(content)
    before = contents(copied_run)
    assert run(["run", str(copied_run)]) == 2
    assert_told(capsys.readouterr().err, "config.yaml")
    assert contents(copied_run) == before


# Checkpoints


@pytest.fixture
def unfinished(copied_run, monkeypatch, capsys) -> Path:
    """A run that the disk stopped just before its first student was saved; checkpoints are there."""
    whole = Recommender.save

    def full(model, folder):
        with small_files(1_000):
            whole(model, folder)

    shutil.rmtree(copied_run / "student/seed-0")
    with monkeypatch.context() as patch:
        patch.setattr(keeper, "_LARGEST_SHARE", 1e9)  # a checkpoint after every epoch
        patch.setattr(Recommender, "save", full)
        assert run(["distill", str(copied_run), "--quiet"]) == 7
    assert_told(capsys.readouterr().err, "Cannot write the model", "seed-0", "Free some space")
    return copied_run


def checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "student/seed-0").rglob("step-*"))


@pytest.mark.parametrize(
    ("harm", "file"),
    [*((harm, "weights.safetensors") for harm in HARMS), ("remove", "manifest.json")],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    unfinished, finished_run, capsys, harm, file
):
    assert len(checkpoints(unfinished)) == 2
    newest = checkpoints(unfinished)[-1]
    HARMS[harm](newest / file)
    assert run(["distill", str(unfinished)]) == 0
    assert_told(capsys.readouterr().err, f"{newest.name} is damaged", "going on from")
    assert weights(unfinished) == weights(finished_run)


def test_when_all_checkpoints_are_damaged_it_says_what_to_do(unfinished, finished_run, capsys):
    for folder in checkpoints(unfinished):
        flip(folder / "weights.safetensors")
    before = contents(unfinished, "dataset", "teacher", "signals", "student")
    assert run(["distill", str(unfinished), "--quiet"]) == 5
    told = capsys.readouterr().err
    assert_told(told, "Every checkpoint", "is damaged", "Remove")
    assert contents(unfinished, "dataset", "teacher", "signals", "student") == before
    shutil.rmtree(checkpoints(unfinished)[0].parent)
    assert run(["distill", str(unfinished), "--quiet"]) == 0
    assert weights(unfinished) == weights(finished_run)


# The disk


def limited(size: int):
    """No file may grow beyond `size` bytes: what a full disk does, where no disk can be filled."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    ("stage", "verb", "size"),
    [
        ("dataset", "label", 6_000),
        ("teacher", "label", 9_000),
        ("signals", "label", 20_000),
        ("report", "evaluate", 30_000),
        pytest.param("bundle", "export", 9_000, marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_stops_a_stage_and_the_same_command_goes_on(copied_run, stage, verb, size):
    """The stage is missing and cannot be written; those before it are reused before and after."""
    expected = contents(copied_run, stage)
    shutil.rmtree(copied_run / stage)
    others = contents(copied_run, *{"dataset", "teacher", "signals", "student"} - {stage})
    process = command(verb, copied_run, "--quiet", preexec_fn=limited(size))
    _, told = process.communicate()
    assert process.returncode == 7, told
    assert_told(told, str(copied_run), "Free some space")
    assert contents(copied_run, *{"dataset", "teacher", "signals", "student"} - {stage}) == others
    assert run([verb, str(copied_run), "--quiet"]) == 0
    assert made(copied_run) == [stage]
    assert contents(copied_run, stage).keys() >= {
        name for name in expected if "tensorboard" not in name
    }


def test_a_read_only_folder_is_told(copied_run):
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-rm", "true"], check=False).returncode
    ):
        pytest.skip("needs unshare, to mount a folder read-only")
    shutil.rmtree(copied_run / "report")
    before = contents(copied_run)
    script = f'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$1" -c "{COMMAND}" run "$0"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, copied_run, sys.executable],
        env={**os.environ, "PYTHONPATH": str(Path(recdistill.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert_told(done.stderr, str(copied_run), "Read-only")
    assert contents(copied_run) == before


def test_a_folder_that_cannot_be_made_is_told(config_file, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert run(["run", str(config_file), "--into", str(tmp_path / "file/run")]) == 7
    assert_told(capsys.readouterr().err, "Cannot make the run folder", "--into")
    assert (tmp_path / "file").read_text() == "mine"


# Ctrl-C


def test_ctrl_c_in_training_is_told_and_the_same_command_goes_on(copied_run):
    before = contents(copied_run, "dataset", "teacher", "signals", "report", "bundle")
    settings = {"training.epochs": 8, "evaluation.seeds": 1}
    distill = ["distill", str(copied_run)]
    for name, value in settings.items():
        distill += ["--set", f"{name}={value}"]
    shutil.rmtree(copied_run / "student/seed-0")
    process = command(*distill)
    while process.poll() is None and not checkpoints(copied_run):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert_told(told, "Stopped", "goes on from there")
    assert not (copied_run / "student/seed-0/model").exists()
    assert contents(copied_run, "dataset", "teacher", "signals", "report", "bundle") == before
    assert run([*distill, "--quiet"]) == 0
    log = json.loads((copied_run / "student/seed-0/training.json").read_text())
    assert len(log["epochs"]) == settings["training.epochs"]
