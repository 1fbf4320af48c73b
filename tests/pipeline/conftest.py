"""A whole run in seconds: a generated log, a small teacher, a smaller student."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="session")
def source(make_source, tmp_path_factory) -> Path:
    """A folder with a generated log and catalogue."""
    return make_source(tmp_path_factory.mktemp("source"), users=80, items=40, events=2400)


def tiny_config(source: Path) -> dict:
    """The configuration of a run that takes seconds."""
    return {
        "dataset": {"source": str(source), "name": "tiny"},
        "teacher": {
            "kind": "recommender",
            "model": {"kind": "sasrec", "width": 16, "blocks": 1, "history": 10},
            "training": {"epochs": 3, "batch_size": 32},
        },
        "signals": [{"kind": "top-k", "k": 10}, {"kind": "item-vectors"}],
        "student": {"kind": "sasrec", "width": 8, "blocks": 1, "history": 10},
        "recipe": {
            "objectives": [
                {"kind": "next-item"},
                {"kind": "kl", "temperature": 2.0},
                {"kind": "align", "weight": 0.1},
            ]
        },
        "training": {"epochs": 3, "batch_size": 32},
        "evaluation": {"seeds": 2, "resamples": 1000, "latency_requests": 5},
    }


@pytest.fixture(scope="session")
def tiny(source) -> dict:
    """That configuration, for tests that write it in parts."""
    return tiny_config(source)


@pytest.fixture
def config_file(source, tmp_path) -> Path:
    """A configuration file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_config(source), sort_keys=False))
    return path


@pytest.fixture(scope="session")
def finished_run(source, tmp_path_factory) -> Path:
    """The folder of a finished run; tests only read it."""
    from recdistill.cli.app import run

    home = tmp_path_factory.mktemp("finished")
    path = home / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_config(source), sort_keys=False))
    assert run(["run", str(path), "--into", str(home / "run"), "--quiet"]) == 0
    return home / "run"
