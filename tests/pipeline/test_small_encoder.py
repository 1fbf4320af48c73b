"""`recipes/small-encoder.yaml`: items that a smaller encoder reads, which learned it once."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from recdistill.config.tree import load_config
from recdistill.pipeline import item_features
from recdistill.pipeline.pipeline import Pipeline
from recdistill.pipeline.run_folder import RunFolder
from recdistill.teachers.adapting.imitating import ImitationLesson
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.options import RunOptions

RECIPE = Path(__file__).parents[2] / "recipes" / "small-encoder.yaml"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(tiny_encoder: Path, source: Path, folder: Path, **adapt: object) -> Pipeline:
    how = {"kind": "imitation", "training": {"epochs": 2}, **adapt}
    config = load_config(
        RECIPE,
        [
            f"dataset={{source: {source}, name: tiny}}",
            f"features.model={tiny_encoder}",
            "features.layers=1",
            f"features.adapt={how}",
            f"student.items.features={adapt.get('width', 16)}",
            "trackers=[]",
        ],
    )
    return Pipeline(config, RunFolder(folder), RunOptions())


def test_it_learns_once_and_stays_in_the_run(tiny_encoder, make_source, tmp_path, monkeypatch):
    source = make_source(tmp_path, users=30, items=40, events=600)
    folder = tmp_path / "run"
    folder.mkdir()
    first = opened(tiny_encoder, source, folder, held_out=0.0)
    made = item_features.made(first)
    assert made is not None
    assert load_file(made / item_features.FEATURES)["features"].shape == (40, 16)
    left = TextEncoder(made / "adaptation" / "weights")
    assert left.model.config.num_hidden_layers == 1
    with monkeypatch.context() as forgetful:
        forgetful.setattr(ImitationLesson, "learn", lambda *_: pytest.fail("learned again"))
        again = opened(tiny_encoder, source, folder, held_out=0.0)
        assert item_features.made(again) == made
    assert not again.outcomes["features"].made
    narrow = opened(tiny_encoder, source, folder, width=8, held_out=0.0)
    made = item_features.made(narrow)
    assert narrow.outcomes["features"].made
    assert load_file(made / item_features.FEATURES)["features"].shape == (40, 8)
