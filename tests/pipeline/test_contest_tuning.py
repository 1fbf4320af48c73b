"""Many techniques, each at its best on validation, with the same number of trials."""

from __future__ import annotations

import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from recdistill.cli.app import run
from recdistill.distill.recipe import Recipe
from recdistill.distill.tuning import Budget
from recdistill.evaluation.report.wording import percent
from recdistill.pipeline.contest import open_contest
from recdistill.pipeline.pipeline import circumstances
from recdistill.pipeline.students import technique
from recdistill.training.options import TrainingConfig

NEXT = {"kind": "next-item"}
RECIPES = {
    "soft": {"objectives": [NEXT, {"kind": "kl", "temperature": 2.0}]},
    "alone": {"objectives": [{"kind": "kl"}]},
    "auto": {"objectives": [NEXT], "auto": {"trials": 9, "weight": 3.0}},
}
TWIN = "student_without_distillation"
BUDGET = ("--trials", "4", "--share", "0.4")


@pytest.fixture(scope="module")
def recipes(tiny, tmp_path_factory) -> list[Path]:
    home = tmp_path_factory.mktemp("recipes")
    shared = tiny | {"evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 5}}
    (home / "base.yaml").write_text(yaml.safe_dump(shared))
    for name, recipe in RECIPES.items():
        mine = {"base": "base.yaml", "recipe": recipe}
        (home / f"{name}.yaml").write_text(yaml.safe_dump(mine))
    return [home / f"{name}.yaml" for name in RECIPES]


@pytest.fixture(scope="module")
def finished(recipes, tmp_path_factory) -> Path:
    """A finished comparison; tests only read it."""
    folder = tmp_path_factory.mktemp("finished") / "compare"
    assert compare(recipes, folder, *BUDGET) == 0
    return folder


def compare(recipes, folder, *options) -> int:
    return run(["compare", *map(str, recipes), "--into", str(folder), "--quiet", *options])


def content(folder) -> dict:
    return json.loads((folder / "leaderboard/leaderboard.json").read_text())


def tunings(folder) -> dict[str, dict]:
    found = content(folder)
    return {
        TWIN: found["references"][TWIN]["tuning"],
        **{one["name"]: one["tuning"] for one in found["ranking"]},
    }


def logs(folder) -> list[dict]:
    return [json.loads(path.read_text()) for path in folder.glob("**/seed-0/training.json")]


def made(folder) -> list[str]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [one["name"] for one in lines[start:] if one["event"] == "stage done" and one["made"]]


def test_everybody_has_the_same_number_of_trials(finished):
    found = tunings(finished)
    assert set(found) == {TWIN, *RECIPES}
    assert {name: len(one["trials"]) for name, one in found.items()} == dict.fromkeys(found, 4)
    for name in (TWIN, "soft", "alone"):
        assert len(logs(finished / "trials" / name)) == 4
        assert found[name]["trials"][0]["what"] == "as written"
    assert {len(log["epochs"]) for log in logs(finished / "trials")} == {1}  # 0.4 of 3


def test_the_chosen_one_is_the_best_on_validation(finished):
    """As the trainings' own logs tell it: the best trial, where it stays ahead of the recipe as written in full."""
    for name in (TWIN, "soft", "alone"):
        told = tunings(finished)[name]
        best = max(told["trials"], key=lambda one: one["validation"])["what"]
        finals = {one["what"]: one["validation"] for one in told["finals"]}
        assert set(finals) == {best, "as written"}
        assert told["chosen"] == max(finals, key=lambda what: finals[what])
        for kind in ("trials", "finals"):
            measured = [log["best"] for log in logs(finished / kind / name)]
            assert sorted(measured) == sorted(one["validation"] for one in told[kind])


def test_the_final_that_stands_is_not_trained_again(finished):
    for name, folder in (("soft", "students/soft"), (TWIN, "student-without-distillation")):
        student = (finished / folder / "seed-0/training.json").read_bytes()
        finals = (finished / "finals" / name).glob("*/seed-0/training.json")
        assert sum(path.read_bytes() == student for path in finals) == 1


def test_students_learn_by_what_was_chosen(finished):
    """The recipe on the page is what was written times the factors that were chosen, and trained to the end."""
    entries = {one["name"]: one for one in content(finished)["ranking"]}
    for name, temperature in (("soft", 2.0), ("alone", 1.0)):
        factors = dict(re.findall(r"(\w+) ×([\d.]+)", entries[name]["tuning"]["chosen"]))
        factor = {key: float(value) for key, value in factors.items()}
        learned = Recipe.model_validate(entries[name]["recipe"])
        assert learned.objectives[-1].weight == pytest.approx(factor.get("weights", 1.0), rel=0.05)
        warmth = temperature * factor.get("temperature", 1.0)
        assert learned.objectives[-1].temperature == pytest.approx(warmth, rel=0.05)
        if "dropout" in factor:
            assert learned.dropout == pytest.approx(0.2 * factor["dropout"], rel=0.05)
        else:
            assert learned.dropout is None
        assert {len(log["epochs"]) for log in logs(finished / "students" / name)} == {3}


def test_a_rate_is_the_trainings_times_the_arms():
    training = TrainingConfig(epochs=7)
    arm = technique("soft", Recipe())
    assert arm.paced(training) == training
    faster = replace(arm, rate=4.0).paced(training)
    assert faster.optimizer.learning_rate == pytest.approx(4e-3)
    assert faster.model_copy(update={"optimizer": training.optimizer}) == training


def test_pages_say_the_budget_and_what_it_bought(finished):
    assert content(finished)["budget"] == {"trials": 4, "share": 0.4}
    for name in ("leaderboard.md", "leaderboard.html"):
        page = (finished / "leaderboard" / name).read_text()
        assert "Equal tuning" in page
        assert "had 4 trials on validation" in page
        assert f"{percent(0.4)} of the epochs" in page
        assert all(one["chosen"] in html.unescape(page) for one in tunings(finished).values())


def test_tuning_never_opens_the_test(finished, recipes, tmp_path, monkeypatch):
    """With the test out of reach everything is tuned and trained; only the leaderboard cannot be made."""
    copied = shutil.copytree(finished, tmp_path / "copy")
    for tuned in ("trials/soft", f"finals/{TWIN}", "students", "choices", "leaderboard"):
        shutil.rmtree(copied / tuned)

    def opened(folder):
        raise PermissionError("the test was opened")

    monkeypatch.setattr("recdistill.evaluation.protocol.open_test", opened)
    alone = circumstances(None, None, quiet=True)
    contest = open_contest(recipes, copied, [], alone, Budget(trials=4, share=0.4))
    with contest.pipeline.folder.locked():
        assert set(contest.students) == {TWIN, *RECIPES}
        with pytest.raises(PermissionError, match="the test was opened"):
            contest.judge()


def test_a_second_comparison_trains_nothing(finished, recipes, tmp_path):
    copied = shutil.copytree(finished, tmp_path / "copy")
    assert compare(recipes, copied, *BUDGET) == 0
    assert made(copied) == []


def test_an_interrupted_tuning_goes_on(finished, recipes, tmp_path):
    copied = shutil.copytree(finished, tmp_path / "copy")
    shutil.rmtree(copied / "trials/soft/as-written")
    shutil.rmtree(copied / "leaderboard")
    assert compare(recipes, copied, *BUDGET) == 0
    assert made(copied) == ["trials/soft/as-written/seed-0", "leaderboard"]
    assert content(copied) == content(finished) | {"timing": content(copied)["timing"]}


def test_without_a_budget_all_is_as_written(finished, recipes, tmp_path):
    """And what is as written in both is not trained twice."""
    copied = shutil.copytree(finished, tmp_path / "copy")
    assert compare(recipes[:2], copied) == 0
    found = content(copied)
    assert "budget" not in found
    assert not any("tuning" in one for one in (*found["ranking"], found["references"][TWIN]))
    assert "Tuned" not in (copied / "leaderboard/leaderboard.md").read_text()
    for one in found["ranking"]:
        assert Recipe.model_validate(one["recipe"]) == Recipe.of(RECIPES[one["name"]])
    assert not any(name.startswith(("trials", "finals")) for name in made(copied))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--share", "0.5"), "Add --trials"),
        (("--trials", "0"), "leaves nothing to try"),
        (("--trials", "-2"), "leaves nothing to try"),
        (("--trials", "3", "--share", "0"), "no share of the epochs"),
        (("--trials", "3", "--share", "1.5"), "no share of the epochs"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_before_any_work(
    recipes, tmp_path, capsys, options, told
):
    assert compare(recipes, tmp_path / "new", *options) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
