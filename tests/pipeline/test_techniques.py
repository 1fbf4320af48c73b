"""`recipes/techniques/`: a file a technique, all of them runnable side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from recipe_files import check_beginning

from recdistill.cli.app import run
from recdistill.config.agreement import load_agreeing
from recdistill.config.tree import load_config
from recdistill.data.views import AnyView
from recdistill.distill.filters import AnyFilter
from recdistill.distill.objectives import AnyObjective
from recdistill.distill.recipe import Recipe
from recdistill.distill.weighting import Weighting

HOME = Path(__file__).parents[2] / "recipes" / "techniques"
FILES = sorted(HOME.glob("*.yaml"))
TECHNIQUES = [path for path in FILES if path.stem != "base"]


def kinds(union: Any) -> set[str]:
    """Every `kind` that a union of settings knows."""
    return {one.model_fields["kind"].default for one in get_args(get_args(union)[0])}


def named(value: Any) -> set[str]:
    """Every `kind` anywhere in plain data."""
    if isinstance(value, dict):
        own = {value["kind"]} if "kind" in value else set()
        return own.union(*map(named, value.values()))
    if isinstance(value, list):
        return set().union(*map(named, value))
    return set()


CHOSEN = load_config(HOME / "beauty" / "inherited-soft-labels.yaml", [])


@pytest.fixture(scope="module")
def recipes() -> dict[str, Any]:
    """Every technique's recipe as plain data; each was checked against the signals when it was read."""
    return {
        path.stem: load_config(path, []).recipe.model_dump(mode="json", by_alias=True)
        for path in TECHNIQUES
    }


@pytest.fixture(scope="module")
def few_labels() -> dict[str, Any]:
    """A contest of its own: recipes for studies with few labels, or none."""
    files = sorted(HOME.glob("labels/*.yaml"))
    return {name: config.recipe for name, config in load_agreeing(files, []).items()}


def test_students_of_few_labels_have_twins_of_the_same_labels(few_labels):
    alone = few_labels["unsupervised"]
    others = [recipe for name, recipe in few_labels.items() if name not in ("base", "unsupervised")]
    assert {recipe.untaught() for recipe in others} == {few_labels["base"]}
    assert alone.untaught() == Recipe()
    assert all(term.taught for term in alone.objectives)


@pytest.mark.parametrize("union", [AnyObjective, AnyFilter, AnyView, Weighting])
def test_everything_that_a_recipe_may_name_is_a_technique(recipes, few_labels, union):
    assert len(kinds(union)) > 2
    tasks = [load_config(path, []).recipe for path in sorted(HOME.glob("tasks/*.yaml"))]
    studied = [recipe.model_dump(mode="json") for recipe in (*few_labels.values(), *tasks)]
    # Read as they are written: a whole configuration would look for its language model on the hub.
    written = [yaml.safe_load(path.read_text()) for path in sorted(HOME.glob("language/*.yaml"))]
    assert kinds(union) - named([*recipes.values(), *studied, *written]) == set()


def test_they_can_be_compared(recipes):
    assert set(load_agreeing(FILES, [])) == {"base", *recipes}


@pytest.mark.parametrize(
    "path",
    [*HOME.glob("elsewhere/*.yaml"), *HOME.glob("controls/*-text.yaml")],
    ids=lambda path: path.stem,
)
def test_what_was_chosen_on_one_dataset_is_untouched_elsewhere(path: Path):
    assert load_config(path, []).recipe == CHOSEN.recipe


def test_controls_differ_from_what_they_control_in_one_thing():
    permuted, without = (
        load_config(HOME / "controls" / f"{name}-text.yaml", []) for name in ("permuted", "without")
    )
    plain = CHOSEN.model_dump(mode="json")
    reader, other = plain["teacher"]["members"]
    wrong = permuted.model_dump(mode="json")
    assert wrong["teacher"]["members"] == [{**reader, "permuted": True}, other]
    assert {**wrong, "teacher": plain["teacher"]} == plain
    silent = without.model_dump(mode="json")
    assert silent["teacher"]["members"] == [other, other]
    assert {**silent, "teacher": plain["teacher"]} == plain


def test_no_two_are_the_same(recipes):
    texts = [json.dumps(recipe, sort_keys=True) for recipe in recipes.values()]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("path", TECHNIQUES, ids=lambda path: path.stem)
def test_each_says_what_it_is_and_what_to_expect(path: Path):
    check_beginning(path, second="# ")


@pytest.mark.timeout(1200)
def test_all_run(make_source, tmp_path):
    source = make_source(tmp_path, users=40, items=120, events=1200)
    model = "{kind: sasrec, width: 8, blocks: 2, history: 10}"
    member = f"{{kind: recommender, model: {model}, training: {{epochs: 1}}}}"
    options = [
        f"dataset={{source: {source}, name: tiny}}",
        f"teacher={{kind: ensemble, members: [{member}, {member}]}}",
        f"student={model}",
        "training={epochs: 1, batch_size: 32}",
        "evaluation={seeds: 1, resamples: 1000, latency_requests: 0}",
        "trackers=[]",
    ]
    assignments = [part for option in options for part in ("--set", option)]
    into = ["--into", str(tmp_path / "run"), "--quiet"]
    assert run(["compare", *map(str, FILES), *into, *assignments]) == 0
    content = json.loads((tmp_path / "run/leaderboard/leaderboard.json").read_text())
    assert {entry["name"] for entry in content["ranking"]} == {path.stem for path in TECHNIQUES}
    assert all(entry["training"]["seconds"] > 0 for entry in content["ranking"])
