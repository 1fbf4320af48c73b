from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
import yaml

from recdistill.cli.app import run
from recdistill.pipeline.pipeline import open_pipeline

STAGES = ["dataset", "teacher", "signals", "student.seed-0", "report", "bundle"]


def made(folder):
    """The stages made (not reused) by the last command, in order."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [
        line["name"] for line in lines[start:] if line["event"] == "stage done" and line["made"]
    ]


def weights(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("student*/seed-*/model/*.safetensors"))
    }


def measured(folder):
    """What the bundle says of its student."""
    return json.loads((folder / "bundle/manifest.json").read_text())["metrics"]


@pytest.fixture
def copied_run(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "copy")


def test_a_run_leaves_everything_it_promises(finished_run):
    for name in (
        "config.yaml",
        "environment.json",
        "log.jsonl",
        "dataset/manifest.json",
        "teacher/teacher.json",
        "signals/top-k/manifest.json",
        "report/report.html",
        "report/metrics.json",
        "bundle/manifest.json",
        "student/seed-1/training.json",
        "student-without-distillation/seed-1/training.json",
    ):
        assert (finished_run / name).is_file(), name
    assert not list(finished_run.rglob("checkpoints"))


def test_metrics_json_holds_what_others_read(finished_run):
    metrics = json.loads((finished_run / "report/metrics.json").read_text())
    assert {"teacher", "student", "student_without_distillation", "popularity"} <= set(
        metrics["models"]
    )
    assert set(metrics["models"]["student"]) == set(metrics["models"]["popularity"])
    assert {"mean", "low", "high"} <= set(metrics["uplift"]["ndcg@10"])
    assert "ndcg@10" in metrics["gap_closed"]
    assert metrics["seeds"] == 2
    assert metrics["dataset"]["name"] == "tiny"
    assert metrics["timing"]["signals_seconds"] > 0


def test_a_second_run_redoes_nothing(copied_run):
    before = weights(copied_run)
    assert run(["run", str(copied_run), "--quiet"]) == 0
    assert made(copied_run) == []
    assert weights(copied_run) == before


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("evaluation.latency_requests=6", ["report"]),
        ("evaluation.resamples=1001", ["report", "bundle"]),
        (
            "recipe.objectives.1.temperature=3.0",
            ["student/seed-0", "student/seed-1", "report", "bundle"],
        ),
        ("signals.0.k=11", ["signals", "student/seed-0", "student/seed-1", "report", "bundle"]),
    ],
)
def test_a_change_redoes_what_depends_on_it_and_nothing_else(copied_run, assignment, expected):
    assert run(["run", str(copied_run), "--set", assignment, "--quiet"]) == 0
    assert made(copied_run) == expected


def test_a_damaged_signal_shard_is_noticed_and_made_again(copied_run, capsys):
    shard = next((copied_run / "signals").rglob("*.safetensors"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    assert run(["label", str(copied_run)]) == 0
    assert made(copied_run) == ["signals"]
    assert f"{shard.name} is damaged; made again" in capsys.readouterr().err


def test_stages_can_be_run_one_at_a_time(config_file, tmp_path, finished_run, capsys):
    into = str(tmp_path / "run")
    assert run(["label", str(config_file), "--into", into, "--quiet"]) == 0
    assert "top-k" in capsys.readouterr().out
    assert not (tmp_path / "run/student").exists()
    assert run(["distill", into, "--quiet"]) == 0
    assert not (tmp_path / "run/report").exists()
    assert run(["evaluate", into, "--quiet"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert run(["export", into, "--quiet"]) == 0
    assert weights(tmp_path / "run") == weights(finished_run)


def test_the_bundle_answers_on_the_command_line(finished_run, capsys):
    items = pl.read_parquet(finished_run / "bundle/items.parquet")
    known = items["item_id"].head(3).to_list()
    arguments = ["recommend", str(finished_run / "bundle"), "--history", " ".join(known), "-k", "5"]
    assert run([*arguments, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {row["item_id"] for row in rows} & set(known)
    assert all(row["title"].startswith("The ") for row in rows)
    assert run([*arguments, "--history", known[0], "--include-seen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert (
        run([*arguments, "--format", "csv", "--candidates", known[0] + "," + items["item_id"][9]])
        == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_bundle_says_how_good_its_student_is(finished_run):
    metrics = json.loads((finished_run / "report/metrics.json").read_text())
    models, uplift = metrics["models"], metrics["uplift"]["ndcg@10"]
    assert measured(finished_run) == {
        "student/ndcg@10": models["student"]["ndcg@10"],
        "student_without_distillation/ndcg@10": models["student_without_distillation"]["ndcg@10"],
        "teacher/ndcg@10": models["teacher"]["ndcg@10"],
        "uplift/ndcg@10": uplift["mean"],
        "uplift/ndcg@10/low": uplift["low"],
        "uplift/ndcg@10/high": uplift["high"],
        "seeds": 2,
    }
    card = (finished_run / "bundle/README.md").read_text()
    assert f"| student/ndcg@10 | {models['student']['ndcg@10']:.4g} |" in card
    assert "Means over 2 seeds" in card


def test_a_bundle_of_students_that_were_not_evaluated_claims_nothing(copied_run):
    assert run(["export", str(copied_run), "--quiet"]) == 0
    assert made(copied_run) == []
    change = ["--set", "recipe.objectives.1.temperature=3.0", "--quiet"]
    assert run(["export", str(copied_run), *change]) == 0
    assert made(copied_run) == ["student/seed-0", "student/seed-1", "bundle"]
    assert measured(copied_run) == {}
    assert "Measured" not in (copied_run / "bundle/README.md").read_text()


def test_what_training_advises_stands_in_the_report(copied_run, caplog):
    change = ["--set", "recipe.objectives.1.temperature=1000", "--quiet"]
    assert run(["evaluate", str(copied_run), *change]) == 0
    (note,) = json.loads((copied_run / "report/metrics.json").read_text())["notes"]
    assert "at temperature 1000 the teacher is all but flat" in note
    assert note in caplog.messages
    assert "all but flat" in (copied_run / "report/report.html").read_text()


def test_the_twin_learns_from_the_log_alone(finished_run):
    pipeline = open_pipeline(finished_run, None, [], quiet=True)
    students = pipeline.students
    names = [set(one.log.epochs[0].losses) for one in (*students.student, *students.twin)]
    assert all("kl" in one and "align" in one for one in names[:2])
    assert all("kl" not in one and "align" not in one for one in names[2:])


def test_the_verdict_is_printed(copied_run, capsys):
    assert run(["run", str(copied_run), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert (
        json.loads((copied_run / "report/metrics.json").read_text())["verdict"]["sentence"] in out
    )
    assert "report.html" in out


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (["--set", "student.widht=3"], 2, "Did you mean 'width'?"),
        (["--set", "signals=[{kind: item-vectors}]"], 2, "learns from 'top-k'"),
        (["--set", "dataset.source=nowhere"], 3, "no file or folder"),
        (["--set", "teacher.model.kind=sasrek"], 2, "Did you mean 'sasrec'?"),
    ],
)
def test_a_wrong_configuration_is_refused_before_any_work(
    config_file, tmp_path, capsys, change, code, told
):
    into = tmp_path / "run"
    assert run(["run", str(config_file), "--into", str(into), *change]) == code
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert not (into / "teacher").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    assert run(["run", str(tmp_path)]) == 2
    assert "no run folder" in capsys.readouterr().err


def test_the_resolved_configuration_is_a_configuration(finished_run, tmp_path, capsys):
    assert run(["config", "show", str(finished_run / "config.yaml")]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == yaml.safe_load(
        (finished_run / "config.yaml").read_text()
    )
