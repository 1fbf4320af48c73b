"""Many techniques, one of everything else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from recdistill.cli.app import run
from recdistill.config.tree import load_config
from recdistill.distill.recipe import Recipe
from recdistill.pipeline.contest import common_remainder

NEXT = {"kind": "next-item"}
RECIPES = {
    "soft": [NEXT, {"kind": "kl", "temperature": 2.0}],
    "hard": [NEXT, {"kind": "mse"}],
    "alone": [{"kind": "kl"}],
}


@pytest.fixture(scope="module")
def recipes(tiny, tmp_path_factory) -> list[Path]:
    """A file a technique, all built on one base."""
    home = tmp_path_factory.mktemp("recipes")
    (home / "base.yaml").write_text(yaml.safe_dump(tiny))
    for name, objectives in RECIPES.items():
        mine = {"base": "base.yaml", "recipe": {"objectives": objectives}}
        (home / f"{name}.yaml").write_text(yaml.safe_dump(mine))
    return [home / f"{name}.yaml" for name in RECIPES]


@pytest.fixture(scope="module")
def finished(recipes, tmp_path_factory) -> Path:
    """A finished comparison; tests only read it."""
    folder = tmp_path_factory.mktemp("finished") / "compare"
    assert compare(recipes, folder) == 0
    return folder


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "copy")


def compare(recipes, folder, *options) -> int:
    return run(["compare", *map(str, recipes), "--into", str(folder), "--quiet", *options])


def made(folder) -> list[str]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [one["name"] for one in lines[start:] if one["event"] == "stage done" and one["made"]]


def content(folder) -> dict:
    return json.loads((folder / "leaderboard/leaderboard.json").read_text())


def test_everything_but_the_recipe_is_made_once(finished):
    assert made(finished) == [
        "dataset",
        "teacher",
        "student-without-distillation/seed-0",
        "signals",
        *(f"students/{name}/seed-0" for name in RECIPES),
        "student-without-distillation/seed-1",
        *(f"students/{name}/seed-1" for name in RECIPES),
        "leaderboard",
    ]
    for name in ("leaderboard.json", "leaderboard.md", "leaderboard.html"):
        assert (finished / "leaderboard" / name).is_file()


def test_its_students_are_those_of_a_run(finished, finished_run, recipes, tmp_path):
    """The twin of `run`, byte by byte; and so is the student of a recipe run alone."""
    model = "seed-1/model/model.safetensors"
    twin = "student-without-distillation"
    assert (finished / twin / model).read_bytes() == (finished_run / twin / model).read_bytes()
    assert run(["distill", str(recipes[0]), "--into", str(tmp_path / "run"), "--quiet"]) == 0
    alone = (tmp_path / "run/student" / model).read_bytes()
    assert (finished / "students/soft" / model).read_bytes() == alone


def test_a_second_comparison_redoes_nothing(copied, recipes):
    assert compare(recipes, copied) == 0
    assert made(copied) == []


def test_a_changed_recipe_costs_its_own_students(copied, recipes, tmp_path):
    home = shutil.copytree(recipes[0].parent, tmp_path / "recipes")
    changed = yaml.safe_load((home / "hard.yaml").read_text())
    changed["recipe"]["objectives"][1]["weight"] = 0.5
    (home / "hard.yaml").write_text(yaml.safe_dump(changed))
    assert compare([home / path.name for path in recipes], copied) == 0
    assert made(copied) == ["students/hard/seed-0", "students/hard/seed-1", "leaderboard"]


def test_fewer_techniques_cost_nothing_but_the_leaderboard(copied, recipes):
    assert compare(recipes[:2], copied) == 0
    assert made(copied) == ["leaderboard"]
    assert content(copied)["techniques"] == 2


def test_an_interrupted_comparison_goes_on(copied, recipes):
    shutil.rmtree(copied / "students/alone/seed-1")
    shutil.rmtree(copied / "leaderboard")
    before = content_of_students(copied)
    assert compare(recipes, copied) == 0
    assert made(copied) == ["students/alone/seed-1", "leaderboard"]
    assert before.items() <= content_of_students(copied).items()


def content_of_students(folder) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.glob("students/*/*/model/*")}


def test_a_setting_for_all_is_for_all(copied, recipes):
    assert compare(recipes, copied, "--set", "evaluation.seeds=1") == 0
    assert made(copied) == ["leaderboard"]
    assert content(copied)["seeds"] == 1


def test_the_leaderboard_holds_what_it_promises(finished):
    found = content(finished)
    names = [entry["name"] for entry in found["ranking"]]
    values = [entry["values"]["ndcg@10"] for entry in found["ranking"]]
    assert sorted(names) == sorted(RECIPES)
    assert values == sorted(values, reverse=True)
    assert [entry["rank"] for entry in found["ranking"]] == [1, 2, 3]
    assert set(found["references"]) == {"teacher", "student_without_distillation"}
    assert found["references"]["student_without_distillation"]["training"]["relative"] == 1.0
    assert all(entry["p"] <= entry["p_holm"] <= 1 for entry in found["ranking"])
    assert found["ranking"][0]["behind_best"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found["verdict"]["technique"] == names[0]
    assert all(entry["recipe"]["objectives"] for entry in found["ranking"])


def test_the_sentence_is_printed_and_stands_on_the_pages(copied, recipes, capsys):
    assert compare(recipes, copied) == 0
    told = capsys.readouterr().out
    sentence = content(copied)["verdict"]["sentence"]
    assert sentence in told
    assert "leaderboard.html" in told
    assert sentence.split("(")[0] in (copied / "leaderboard/leaderboard.md").read_text()


def test_the_folder_says_what_its_twin_learned_by(finished):
    config = load_config(finished / "config.yaml", [])
    assert config.recipe == Recipe()


def test_the_undistilled_student_is_no_technique(recipes, copied, tmp_path, capsys):
    """The base that all build on may be given too: `recipes/*.yaml` finds it."""
    plain = tmp_path / "plain.yaml"
    base = {"base": str(recipes[0].parent / "base.yaml"), "recipe": {"objectives": [NEXT]}}
    plain.write_text(yaml.safe_dump(base))
    assert compare([plain, *recipes], copied) == 0
    assert made(copied) == []
    assert compare([plain], copied) == 2
    assert "plain teach" in capsys.readouterr().err


def test_most_recipes_decide_what_the_twin_learns_by():
    def of(*objectives):
        return Recipe.of({"objectives": objectives})

    sampled = {"kind": "next-item", "loss": {"kind": "sampled-softmax"}}
    plain, other, alone = of(NEXT, {"kind": "kl"}), of(sampled, {"kind": "mse"}), of({"kind": "kl"})
    assert common_remainder({"a": plain}) == of(NEXT)
    assert common_remainder({"a": other, "b": other, "c": plain}) == of(sampled)
    assert common_remainder({"a": other, "b": plain, "c": alone}) == of(NEXT)
    assert common_remainder({"a": other, "b": plain}) == of(sampled)


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("evaluation.metrics=[coverage@10]", "judges accuracy"),
        ("student.widht=3", "Did you mean 'width'?"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(
    recipes, tmp_path, capsys, assignment, told
):
    assert compare(recipes, tmp_path / "new", "--set", assignment) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
