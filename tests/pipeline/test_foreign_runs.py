"""A run folder that somebody sent tells how a run was made; whom it names gets no question and no key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from chat_server import Seen, chat_server, knowing
from code_of_its_own import with_code

from recdistill.cli.app import run
from recdistill.config.located import LocatedYaml

BLIND = ["--set", "evaluation.resamples=1100"]
"""So that the report has to be made again, and the test's questions be asked."""


@pytest.fixture
def short(make_source, tiny, tmp_path):
    source = make_source(tmp_path, users=12, items=20, events=200)

    def make(teacher: dict, **others) -> str:
        config = {
            **tiny,
            "dataset": {"source": str(source), "name": "tiny"},
            "teacher": teacher,
            "signals": [{"kind": "top-k", "k": 10}],
            "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl"}]},
            "training": {"epochs": 1, "batch_size": 32},
            "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 5},
            **others,
        }
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return str(path)

    return make


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MY_SECRET", "sk-very-secret")


def chat(server, tmp_path: Path, **settings) -> dict:
    return {
        "kind": "chat",
        "endpoint": {"base_url": server.url, "model": "scripted"},
        "candidates": {"model": {"kind": "item-knn"}, "number": 4},
        "ledger": str(tmp_path / "ledger.sqlite"),
        "sample": 5,
        "orderings": 1,
        "form": "text",
        "blend": {"base": 0.5, "judge": 1.0},
        **settings,
    }


def rewritten(folder: Path, change) -> None:
    """The folder as it is when somebody else has changed its configuration."""
    file = folder / "config.yaml"
    config = LocatedYaml.read(file).data
    change(config)
    file.write_text(yaml.safe_dump(config, sort_keys=False))


def test_a_stored_run_is_told_by_what_is_stored(short, tmp_path, capsys):
    folder = tmp_path / "run"
    with chat_server(knowing) as server:
        mine = short(chat(server, tmp_path))
        assert run(["evaluate", mine, "--into", str(folder), "--quiet"]) == 0
        asked = len(server.seen)
        for verb in ("evaluate", "label", "export"):
            assert run([verb, str(folder), "--quiet"]) == 0
        assert run(["evaluate", str(folder), *BLIND, "--quiet"]) == 0, "the ledger knows it all"
        assert len(server.seen) == asked


def test_whom_a_folder_names_is_asked_nothing(short, tmp_path, capsys):
    folder = tmp_path / "run"
    with chat_server(knowing) as server, chat_server(knowing) as theirs:
        mine = short(chat(server, tmp_path))
        assert run(["label", mine, "--into", str(folder), "--quiet"]) == 0

        def lure(config: dict) -> None:
            where = {"base_url": theirs.url, "known_as": server.url, "api_key_env": "MY_SECRET"}
            config["teacher"]["endpoint"] |= where

        rewritten(folder, lure)
        url = ["--set", f"teacher.endpoint.base_url={theirs.url}"]
        # Of the key the user says nothing at last; and the teacher is fitted anew each time.
        for verb, *said in (["run"], ["teachers"], ["export"], ["label", *url]):
            again = ["--set", "teacher.orderings=2", *said]
            assert run([verb, str(folder), *again, "--quiet"]) == 2
            told = " ".join(capsys.readouterr().err.split())
            assert f"scripted at {theirs.url}, with the key in MY_SECRET" in told
            assert "no configuration of yours names it" in told
        assert run(["teachers", mine, "--into", str(folder), "--with", str(folder), "--quiet"]) == 2
        assert not theirs.seen
        named = [*url, "--set", "teacher.endpoint.api_key_env=MY_SECRET"]
        assert run(["label", str(folder), *again, *named, "--quiet"]) == 0
        assert theirs.seen


def test_nor_are_those_of_members_and_describers(short, tmp_path, tiny_encoder, capsys):
    def tale(seen: Seen) -> str:
        return "A tale."

    folder = tmp_path / "run"
    with chat_server(tale) as theirs:
        described = {
            "model": str(tiny_encoder),
            "describing": {
                "endpoint": {"base_url": theirs.url, "model": "m"},
                "ledger": str(tmp_path / "ledger.sqlite"),
            },
        }
        popular = {"kind": "recommender", "model": {"kind": "popularity"}}
        member = {"kind": "text-encoder", **described, "head": {"kind": "sasrec", "width": 8}}
        student = {
            "student": {"kind": "sasrec", "width": 8, "items": {"kind": "vectors", "features": 16}}
        }
        for teacher, others in (
            ({"kind": "ensemble", "members": [popular, member]}, {}),
            (popular, {"features": {"kind": "text", **described}, **student}),
        ):
            folder.mkdir(exist_ok=True)
            (folder / "config.yaml").write_text(Path(short(teacher, **others)).read_text())
            assert run(["run", str(folder), "--quiet"]) == 2
            assert f"m at {theirs.url}" in " ".join(capsys.readouterr().err.split())
        assert not theirs.seen


def test_what_a_folder_says_of_trust_runs_no_code(short, tmp_path, tiny_encoder, capsys):
    model, ran = with_code(tiny_encoder, tmp_path)
    teacher = {"kind": "causal-lm", "model": str(model), "trust_remote_code": True}
    folder = tmp_path / "run"
    folder.mkdir()
    mine = Path(short(teacher))
    (folder / "config.yaml").write_text(mine.read_text())
    for command in (["label", str(folder)], ["teachers", str(mine), "--with", str(folder)]):
        assert run([*command, "--into", str(folder), "--quiet"]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"lets code run that comes with the language model '{model}'" in told
        assert "--set teacher.trust_remote_code=true" in told
    assert not ran.exists()
