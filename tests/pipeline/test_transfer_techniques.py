"""`recipes/techniques/transfer/` and `modalities/`: signals of another domain, and students that know content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from recipe_files import check_beginning

from recdistill.cli.app import run
from recdistill.config.agreement import load_agreeing
from recdistill.config.tree import load_config
from recdistill.distill.recipe import Recipe
from tests.support.domains import prepared, write_domain, write_vectors

HOME = Path(__file__).parents[2] / "recipes" / "techniques"
FILES = {name: sorted((HOME / name).glob("*.yaml")) for name in ("transfer", "modalities")}
TECHNIQUES = [path for files in FILES.values() for path in files if path.stem != "base"]


@pytest.mark.parametrize("path", TECHNIQUES, ids=lambda path: path.stem)
def test_each_says_what_it_is_and_what_to_expect(path: Path):
    check_beginning(path)


@pytest.mark.parametrize("name", FILES)
def test_they_can_be_compared(name):
    assert len(load_agreeing(FILES[name], [])) == len(FILES[name])


def test_the_twin_of_a_transfer_has_the_same_few_labels():
    """Also where the labels come in a later phase; without any label, the twin has all."""
    recipes = {path.stem: load_config(path, []).recipe for path in FILES["transfer"]}
    alone = recipes.pop("no-labels")
    assert {recipe.untaught() for recipe in recipes.values()} == {recipes["base"]}
    assert alone.untaught() == Recipe()


def test_what_comes_first_has_no_labels_and_what_comes_last_hardly_hears_the_teacher():
    first, last = load_config(HOME / "transfer/then-labels.yaml", []).recipe.course
    assert all(term.taught for term in first.objectives)
    assert first.unlabelled
    _, heard = last.objectives
    assert heard.weight.value(1.0, {}) == pytest.approx(0.1)


@pytest.mark.timeout(1200)
def test_all_run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    films = write_domain(tmp_path / "films", "f", users=30, items=60, events=600, seed=1)
    books = write_domain(tmp_path / "books", "b", users=30, items=60, events=900, seed=2)
    there = write_vectors(prepared(films), tmp_path / "films.parquet")
    here = write_vectors(prepared(books), tmp_path / "books.parquet", seed=1)
    model = "{kind: sasrec, width: 8, blocks: 1, history: 10}"
    head = "head: {width: 8, blocks: 1}, training: {epochs: 1}"
    shared = [
        f"dataset={{source: {books}, name: books}}",
        "training={epochs: 2, batch_size: 32}",
        "evaluation={seeds: 1, resamples: 1000, latency_requests: 0}",
        "trackers=[]",
    ]
    seen = f"{{kind: features, path: {there}, {head}}}"
    options = {
        "transfer": [
            f"teacher={{kind: transfer, source: {{source: {films}}}, teacher: {seen}, target: {{path: {here}}}}}",
            f"student={model}",
        ],
        "modalities": [
            f"teacher={{kind: recommender, model: {model}, training: {{epochs: 1}}}}",
            f"features={{kind: file, path: {here}}}",
            "student={kind: sasrec, width: 8, blocks: 1, history: 10, items: {kind: vectors, features: 8}}",
        ],
    }
    for name, files in FILES.items():
        into = tmp_path / name
        assignments = [part for one in (*shared, *options[name]) for part in ("--set", one)]
        command = ["compare", *map(str, files), "--into", str(into), "--quiet", *assignments]
        assert run(command) == 0
        found = json.loads((into / "leaderboard/leaderboard.json").read_text())["ranking"]
        assert {entry["name"] for entry in found} == {path.stem for path in files} - {"base"}


@pytest.mark.timeout(600)
def test_a_control_says_so_in_its_report(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shop = write_domain(tmp_path / "shop", "s", users=30, items=60, events=600, seed=1)
    seen = write_vectors(prepared(shop), tmp_path / "shop.parquet")
    head = {"width": 8, "blocks": 1}
    settings = {
        **tiny,
        "dataset": {"source": str(shop), "name": "shop"},
        "teacher": {
            "kind": "features",
            "path": str(seen),
            "permuted": True,
            "head": head,
            "training": {"epochs": 1},
        },
        "training": {"epochs": 1},
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 0},
        "trackers": [],
    }
    path = tmp_path / "control.yaml"
    path.write_text(yaml.safe_dump(settings))
    assert run(["run", str(path), "--into", str(tmp_path / "run"), "--quiet"]) == 0
    notes = json.loads((tmp_path / "run/report/metrics.json").read_text())["notes"]
    page = (tmp_path / "run/report/report.html").read_text()
    assert any("This is a control: the teacher" in note for note in notes)
    assert "This is a control: the teacher" in page
