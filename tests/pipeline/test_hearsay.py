"""A run whose teacher heard what was said elsewhere: joined and checked on the way, the test too."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from recdistill.cli.app import run
from recdistill.data.holdout import open_test
from recdistill.data.preparation import load_dataset


@pytest.fixture
def said(tiny, source, tmp_path):
    """A configuration, and a function that writes lists that name each user's next test item, or nothing of it."""
    dataset = load_dataset(
        source, into=tmp_path / "data", name="tiny", split={"kind": "leave-one-out"}
    )
    cases = open_test(dataset.folder)
    last = {int(user): int(cases.targets[row][0]) for row, user in enumerate(cases.users)}
    path = tmp_path / "said.jsonl"

    def write(leaking: int) -> None:
        random = np.random.default_rng(1)
        rows = []
        for user, raw in enumerate(dataset.users.ids):
            items = [i for i in random.permutation(40)[:6] if i != last.get(user)][:4]
            items = [last[user], *items] if user < leaking and user in last else items
            ids = dataset.vocabulary.decode(np.array(items, dtype=np.int32)).to_list()
            rows.append({"user_id": raw, "items": ids})
        path.write_text("\n".join(map(json.dumps, rows)))

    config = {
        **tiny,
        "dataset": {"source": str(source), "name": "tiny", "split": {"kind": "leave-one-out"}},
        "teacher": {
            "kind": "file",
            "lists": {"path": str(path)},
            "candidates": {"model": {"kind": "item-knn"}},
        },
        "signals": [{"kind": "top-k", "k": 10}],
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl"}]},
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 5},
    }
    return config, write, tmp_path


def go(said, *words):
    config, _, folder = said
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return run([*words, str(folder / "run.yaml"), "--into", str(folder / "run"), "--quiet"])


def test_a_run_reports_how_its_teacher_was_joined(said):
    said[1](0)
    assert go(said, "evaluate") == 0
    metrics = json.loads((said[2] / "run/report/metrics.json").read_text())
    notes = metrics["notes"]
    assert any(one.startswith("Of 80 records in said.jsonl, 80 could be joined") for one in notes)
    page = (said[2] / "run/report/report.html").read_text()
    assert "80 could be joined to the log" in page
    record = json.loads((said[2] / "run/teacher/teacher.json").read_text())
    assert [one["window"] for one in record["notes"]["leaks"]] == ["validation", "test"]
    assert go(said, "teachers") == 0
    judged = json.loads((said[2] / "run/judging/teachers.json").read_text())["teachers"]
    assert judged["teacher"]["account"] == {"named": 320, "in_catalogue": 320, "grounded": 1.0}
    assert judged["teacher"]["candidates"]["judge"]["result"] != "better than chance"


def test_what_knows_the_test_is_refused_and_other_content_is_another_teacher(said, capsys):
    said[1](80)
    assert go(said, "label") == 3
    told = capsys.readouterr().err
    assert "name what is held out for test" in told
    assert "leaks: scrub" in told
    said[1](0)
    assert go(said, "label") == 0
    first = json.loads((said[2] / "run/teacher/teacher.json").read_text())["revision"]
    said[1](20)
    assert go(said, "label") == 0
    assert json.loads((said[2] / "run/teacher/teacher.json").read_text())["revision"] != first


def test_the_test_is_guarded_from_teachers_of_phases_too(said, capsys):
    """The recipe's own teacher hears the lists; the run's hears nothing."""
    config, write, _ = said
    write(1000)
    plain = {"kind": "recommender", "model": {"kind": "popularity"}}
    phase = {"teacher": config["teacher"], "objectives": config["recipe"]["objectives"]}
    config |= {"teacher": plain, "recipe": {"phases": [phase]}}
    assert go(said, "distill") == 3
    assert "held out for test" in capsys.readouterr().err
