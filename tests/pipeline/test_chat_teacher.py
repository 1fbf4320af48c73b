"""A whole run whose teacher is a chat model: dry, then wet, then again for nothing."""

from __future__ import annotations

import json

import pytest
import yaml
from chat_server import chat_server, knowing

from recdistill.cli.app import run


@pytest.fixture
def configured(make_source, tiny, tmp_path):
    source = make_source(tmp_path, users=12, items=20, events=200)

    def make(server) -> str:
        teacher = {
            "kind": "chat",
            "endpoint": {"base_url": server.url, "model": "scripted", "concurrency": 16},
            "candidates": {"model": {"kind": "item-knn"}, "number": 4},
            "ledger": str(tmp_path / "ledger.sqlite"),
            "sample": 5,
            "orderings": 1,
            "form": "text",
            "blend": {"base": 0.5, "judge": 1.0},
        }
        config = {
            **tiny,
            "dataset": {"source": str(source), "name": "tiny"},
            "teacher": teacher,
            "signals": [{"kind": "top-k", "k": 10}],
            "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl", "temperature": 1.0}]},
            "training": {"epochs": 1, "batch_size": 32},
            "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 5},
        }
        path = tmp_path / "chat.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return str(path)

    return make


def test_a_run_is_foretold_made_and_told(configured, tmp_path, capsys):
    into = ["--into", str(tmp_path / "run"), "--quiet"]
    with chat_server(knowing) as server:
        config = configured(server)
        assert run(["label", config, *into, "--dry-run"]) == 0
        foretold = capsys.readouterr().out
        assert not server.seen
        assert "scripted: nothing was asked" in foretold
        assert "to fit     0 calls" in foretold
        assert run(["label", config, *into]) == 0
        labelled = len(server.seen)
        assert (
            f"Of {labelled:,} answers of the chat model all could be used."
            in capsys.readouterr().out
        )
        assert labelled > 50
        assert run(["label", config, *into, "--dry-run"]) == 0
        assert f"0 calls ({labelled:,} of {labelled:,} known)" in capsys.readouterr().out
        assert run(["evaluate", config, *into]) == 0
        compared = len(server.seen) - labelled
        assert 0 < compared <= 2 * 5, "at most five cases of the test, and five of training"
        assert run(["evaluate", config, *into]) == 0
        assert len(server.seen) - labelled == compared
    metrics = json.loads((tmp_path / "run/report/metrics.json").read_text())
    assert {"teacher", "teacher/candidates"} <= set(metrics["models"])
    assert any("a fixed sample" in note for note in metrics["notes"])
    assert metrics["labelling"]["calls"] == labelled + compared
    assert metrics["labelling"]["tokens"] == 120 * (labelled + compared)
    assert metrics["labelling"]["silent"] == 0
    report = (tmp_path / "run/report/report.html").read_text()
    assert "Answers paid for" in report
    assert (
        "The teacher&#39;s judge was asked about" in report
        or "The teacher's judge was asked about" in report
    )


def test_a_teacher_that_asks_nobody_costs_nothing(tiny, tmp_path, capsys):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny, sort_keys=False))
    assert run(["label", str(path), "--into", str(tmp_path / "run"), "--dry-run", "--quiet"]) == 0
    assert "asks no endpoint" in capsys.readouterr().out
    assert not (tmp_path / "run/teacher").exists()


def test_vectors_are_refused_while_the_configuration_is_read(configured, tmp_path, capsys):
    with chat_server(knowing) as server:
        config = configured(server)
        assert run(["label", config, "--set", "signals=[{kind: item-vectors}]", "--quiet"]) == 2
        assert not server.seen
    assert "who puts candidates in order has none" in " ".join(capsys.readouterr().err.split())


def test_a_chat_teacher_is_judged_and_asked_about_few_contexts(configured, tmp_path, capsys):
    """Every question was counted by the server: 30 contexts, and a sample of validation, of which nothing is asked
    twice; the account is the bill."""
    into = ["--into", str(tmp_path / "run"), "--quiet"]
    few = ["--set", "select={kind: random, contexts: 30}", "--set", "teacher.sample=8"]
    with chat_server(knowing) as server:
        config = configured(server)
        assert run(["label", config, *into, *few, "--dry-run"]) == 0
        assert "to label   30 calls" in capsys.readouterr().out
        assert run(["label", config, *into, *few]) == 0
        assert len(server.seen) == 30
        capsys.readouterr()
        assert run(["teachers", config, *into, *few, "--json"]) == 0
        judged = len(server.seen) - 30
        assert 0 < judged <= 8
        found = json.loads(capsys.readouterr().out)
        account = found["teachers"]["teacher"]["account"]
        assert account["calls"] == 30 + judged
        assert account["named"] == account["in_catalogue"] > 0
        assert found["teachers"]["teacher/candidates"]["account"] == {}
        assert run(["teachers", str(tmp_path / "run"), "--quiet"]) == 0
        assert len(server.seen) - 30 == judged
    judge = found["teachers"]["teacher"]["candidates"]
    assert judge["asked"] == found["dataset"]["valid_cases"] <= 8
    assert set(found["teachers"]) == {"teacher", "teacher/candidates"}
    assert "latency_p50" not in found["teachers"]["teacher"]["cost"]
    assert "latency_p50" in found["teachers"]["teacher/candidates"]["cost"]


def test_what_teachers_of_phases_would_be_asked_is_foretold_too(configured, tmp_path, capsys):
    with chat_server(knowing) as server:
        path = configured(server)
        config = yaml.safe_load((tmp_path / "chat.yaml").read_text())
        phase = {"teacher": config["teacher"], "objectives": config["recipe"]["objectives"]}
        popular = {"kind": "recommender", "model": {"kind": "popularity"}}
        config |= {"teacher": popular, "recipe": {"phases": [phase]}}
        (tmp_path / "chat.yaml").write_text(yaml.safe_dump(config))
        assert run(["label", path, "--into", str(tmp_path / "run"), "--dry-run", "--quiet"]) == 0
        assert not server.seen
    assert "scripted: nothing was asked" in capsys.readouterr().out
