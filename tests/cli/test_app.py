from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from recdistill import __version__, errors
from recdistill.cli import app as application
from recdistill.cli.app import INTERNAL_ERROR, INTERRUPTED, run


@pytest.fixture
def failing(monkeypatch):
    """Make `recdistill config schema` raise what a test wants."""

    def install(error):
        def command():
            raise error

        group = application.configuration.app
        schema = next(one for one in group.registered_commands if one.callback.__name__ == "schema")
        command.__name__ = "schema"
        monkeypatch.setattr(schema, "callback", command)

    return install


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["label"],
        ["distill"],
        ["evaluate"],
        ["explain-run"],
        ["compress"],
        ["export"],
        ["recommend"],
        ["compare"],
        ["data", "prepare"],
        ["data", "inspect"],
        ["config", "show"],
        ["config", "schema"],
        ["ledger", "bill"],
        ["ledger", "reopen"],
    ],
)
def test_every_verb_explains_itself_with_an_example(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run([*arguments, "--help"]) == 0
    assert "recdistill " + " ".join(arguments) in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["destill"], ["run"], ["run", "x.yaml", "--threads", "0"]])
def test_wrong_arguments_exit_with_2_and_no_traceback(arguments, capsys):
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("a", "b"), 2),
        (errors.DataError("a", "b"), 3),
        (errors.SignalError("a", "b"), 4),
        (errors.CheckpointError("a", "b"), 5),
        (errors.BundleError("a", "b"), 6),
        (errors.StorageError("a", "b"), 7),
        (errors.MissingExtraError("The report", "report"), 8),
    ],
)
def test_each_kind_of_error_has_its_exit_code(failing, capsys, error, code):
    failing(error)
    assert run(["config", "schema"]) == code
    told = capsys.readouterr().err
    assert error.message in told
    assert error.hint in told
    assert "Traceback" not in told


def test_ctrl_c_says_that_nothing_is_lost(failing, capsys):
    failing(KeyboardInterrupt())
    assert run(["config", "schema"]) == INTERRUPTED
    assert "goes on from there" in capsys.readouterr().err


def test_a_full_disk_is_no_internal_error(failing, capsys):
    failing(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert run(["config", "schema"]) == 7
    assert "/data/x" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("odd"), OSError(errno.EIO, "odd")])
def test_an_unforeseen_error_is_short_for_people_and_whole_in_a_file(failing, capsys, error):
    failing(error)
    assert run(["config", "schema"]) == INTERNAL_ERROR
    told = capsys.readouterr().err
    assert "Traceback" not in told
    crash = Path(told.strip().rsplit(" ", 1)[-1])
    try:
        assert "Traceback" in crash.read_text()
        assert "odd" in crash.read_text()
    finally:
        crash.unlink()


def test_the_command_is_installed_and_completes_its_verbs():
    command = Path(sys.executable).with_name("recdistill")
    environment = {
        "_RECDISTILL_COMPLETE": "complete_bash",
        "COMP_WORDS": "recdistill expo",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([command], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["export"]


def test_the_schema_is_json_and_knows_every_section(capsys):
    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"dataset", "teacher", "signals", "student", "recipe"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
