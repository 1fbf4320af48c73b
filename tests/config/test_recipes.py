from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from language import decoder

from recdistill.config.located import LocatedYaml
from recdistill.config.tree import load_config, parse_config, to_yaml

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))


def test_there_are_recipes():
    assert "quickstart.yaml" in {path.name for path in RECIPES}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    return decoder(tmp_path_factory.mktemp("lm"), layers=8)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid_and_survives_being_written_out(path: Path, backbone: Path):
    made = path.parent.name == "language"  # of a language model, whose layers are compared
    models = [f"{whose}.model={backbone}" for whose in ("student", "teacher.model")]
    config = load_config(path, models if made else [])
    text = to_yaml(config)
    assert parse_config(LocatedYaml.parse(text, "written")) == config
    assert yaml.safe_load(text)["dataset"]["source"] == config.dataset.source
