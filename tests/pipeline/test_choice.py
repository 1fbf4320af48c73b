"""`recipe: auto` in a whole run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from recdistill.cli.app import run
from recdistill.distill.auto import Auto
from recdistill.distill.lookup import lookups
from recdistill.distill.objectives.temperatures import effective
from recdistill.distill.recipe import Recipe
from recdistill.models.ranking import ndcg, target_ranks
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.pipeline.choice import _start
from recdistill.pipeline.pipeline import open_pipeline

AUTO = {"objectives": [{"kind": "next-item"}], "auto": {"trials": 3, "share": 0.4}}


@pytest.fixture(scope="module")
def chosen(tiny, tmp_path_factory) -> Path:
    """The folder of a run that chose its recipe."""
    home = tmp_path_factory.mktemp("auto")
    (home / "auto.yaml").write_text(yaml.safe_dump(tiny | {"recipe": AUTO}))
    assert run(["run", str(home / "auto.yaml"), "--into", str(home / "run"), "--quiet"]) == 0
    return home / "run"


def choice(folder: Path) -> dict:
    (found,) = folder.glob("choices/*/choice.json")
    return json.loads(found.read_text())


def made(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [one["name"] for one in lines[start:] if one["event"] == "stage done" and one["made"]]


def test_trials_stay_within_the_budget_and_are_shorter(chosen):
    content = choice(chosen)
    assert 1 <= len(content["trials"]) <= 3
    logs = [json.loads(path.read_text()) for path in chosen.glob("trials/*/*/training.json")]
    assert len(logs) == len(content["trials"])
    assert {len(log["epochs"]) for log in logs} == {1}  # 0.4 of 3


def test_the_choice_is_no_worse_than_the_twin_on_validation(chosen):
    """Measured once more, apart from the run's own bookkeeping."""
    pipeline = open_pipeline(chosen, None, [], quiet=True)
    arms = {
        name: Recommender.load(chosen / name / "seed-0" / "model")
        for name in ("student", "student-without-distillation")
    }
    cases = pipeline.dataset.valid
    student, twin = (
        ndcg(target_ranks(model, cases.histories, cases.targets, seen), cases.targets).mean()
        for model in arms.values()
        for seen in [None if takes_repeat(pipeline.dataset.train.histories) else cases.histories]
    )
    content = choice(chosen)
    assert student >= twin
    assert content["distils"] == any(one["difference"]["mean"] > 0 for one in content["finals"])
    if content["distils"]:
        wins = max(content["finals"], key=lambda one: one["difference"]["mean"])
        assert wins["difference"]["mean"] == pytest.approx(student - twin, abs=1e-6)


def test_the_best_point_is_learned_for_all_and_for_half_of_the_epochs(chosen):
    finals = choice(chosen)["finals"]
    assert len(finals) in (2, 4)
    assert [one["epochs"] for one in finals] == [3, 1] * (len(finals) // 2)
    assert [one["recipe"].get("epochs") for one in finals] == [None, 1] * (len(finals) // 2)
    assert finals[1]["what"] == f"{finals[0]['what']}, learned in 1 of 3 epochs"
    if len(finals) == 2:
        assert max(one["difference"]["mean"] for one in finals) > 0


def test_the_final_that_stands_is_not_trained_again(chosen):
    """The student of the first seed is that final, seconds of its training and all."""
    content = choice(chosen)
    assert content["distils"]
    same = [
        folder
        for folder in chosen.glob("finals/*/seed-0")
        if (folder / "training.json").read_bytes()
        == (chosen / "student/seed-0/training.json").read_bytes()
    ]
    assert len(same) == 1
    weights = "model/model.safetensors"
    final, student = same[0] / weights, chosen / "student/seed-0" / weights
    assert final.read_bytes() == student.read_bytes()
    assert json.loads((same[0] / "training.json").read_text())["best"] == pytest.approx(
        max(content["finals"], key=lambda one: one["difference"]["mean"])["validation"]
    )


def test_a_flat_teacher_is_heard_at_a_temperature_that_is_not(tiny, tmp_path):
    """A teacher of hardly a step says the same of all it lists; the search begins where it speaks of half of them."""
    weak = tiny["teacher"] | {"training": {"epochs": 1, "batch_size": 4096}}
    auto = {"auto": {"trials": 1}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(tiny | {"teacher": weak, "recipe": auto}))
    pipeline = open_pipeline(tmp_path / "a.yaml", tmp_path / "r", [], quiet=True)
    with pipeline.folder.locked():
        point, why = _start(pipeline, Auto(trials=1))
        heard = lookups(pipeline.signals, pipeline.dataset, ["top-k"])["top-k"]
    logits = heard.sample(1024)["logits"]
    assert point.temperature < 1
    assert effective(logits, point.temperature) == pytest.approx(5, rel=0.1)  # of k = 10
    assert f"{point.temperature:.2g} suits it" in why


def test_a_second_run_does_nothing_again(chosen):
    assert run(["run", str(chosen), "--quiet"]) == 0
    assert made(chosen) == []


def test_the_recipe_that_was_chosen_runs_by_itself(chosen):
    found = Recipe.model_validate(choice(chosen)["recipe"])
    assert found.auto is None
    assert open_pipeline(chosen, None, [], quiet=True).recipe == found


@pytest.mark.slow  # a whole search
def test_a_teacher_that_cannot_help_is_not_listened_to(tiny, tmp_path):
    """A teacher of one step is worse than its student: whatever is chosen, nothing is lost."""
    weak = tiny["teacher"] | {"training": {"epochs": 1, "batch_size": 4096}}
    auto = {"auto": {"trials": 2, "weight": 30.0}}
    (tmp_path / "weak.yaml").write_text(
        yaml.safe_dump(tiny | {"teacher": weak, "recipe": auto, "training": {"epochs": 8}})
    )
    assert run(["run", str(tmp_path / "weak.yaml"), "--into", str(tmp_path / "r"), "--quiet"]) == 0
    content = choice(tmp_path / "r")
    logs = [
        json.loads((tmp_path / "r" / name / "seed-0" / "training.json").read_text())["best"]
        for name in ("student", "student-without-distillation")
    ]
    assert logs[0] >= logs[1]
    if not content["distils"]:
        assert "chose not to distil" in content["sentence"]


def test_auto_without_soft_labels_is_refused(tiny, tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(
        yaml.safe_dump(tiny | {"signals": [{"kind": "item-vectors"}], "recipe": "auto"})
    )
    assert run(["run", str(tmp_path / "a.yaml"), "--into", str(tmp_path / "r"), "--quiet"]) != 0
    assert "{kind: top-k, k: 100}" in capsys.readouterr().err


def test_a_recipe_may_take_other_epochs_than_its_twin(tiny, tmp_path):
    recipe = tiny["recipe"] | {"epochs": 2}
    (tmp_path / "a.yaml").write_text(
        yaml.safe_dump(tiny | {"recipe": recipe, "evaluation": {"seeds": 1}})
    )
    assert run(["distill", str(tmp_path / "a.yaml"), "--into", str(tmp_path / "r"), "--quiet"]) == 0
    lengths = {
        name: len(
            json.loads((tmp_path / "r" / name / "seed-0/training.json").read_text())["epochs"]
        )
        for name in ("student", "student-without-distillation")
    }
    assert lengths == {"student": 2, "student-without-distillation": 3}
