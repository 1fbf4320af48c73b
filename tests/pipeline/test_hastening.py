"""Pruning to a time: the search against a clock that is told, and a real one once."""

from __future__ import annotations

import shutil
from fractions import Fraction

import pytest

from recdistill.compression.sizing import at_share
from recdistill.distill.reductions import Reduction
from recdistill.errors import ConfigError
from recdistill.files import read_json
from recdistill.models.sasrec import SASRecConfig
from recdistill.pipeline import hastening
from recdistill.pipeline.pipeline import open_pipeline

QUICK = Reduction.model_validate({"prune": {"latency": 0.5, "parts": ["units", "width"]}})


@pytest.fixture
def pipeline(finished_run, tmp_path):
    folder = shutil.copytree(finished_run, tmp_path / "run")
    return open_pipeline(folder, None, [], quiet=True)


def told(monkeypatch, taken) -> list[SASRecConfig]:
    """A clock that says `taken` of the width that is left, as a share."""
    asked: list[SASRecConfig] = []

    def clock(_, config):
        asked.append(config)
        return taken(Fraction(config.shape.width, config.width))

    monkeypatch.setattr(hastening, "_beside_whole", clock)
    return asked


def test_the_greatest_share_within_the_time_is_found_and_kept(pipeline, monkeypatch):
    asked = told(monkeypatch, lambda share: 0.2 + 0.8 * float(share))
    share = hastening.share_in_time(pipeline, "quick", QUICK)
    # 8 wide: 0.2 + 0.8 · 3/8 = 0.5 is within, four eighths are not.
    assert share == 6 / 16
    assert at_share(pipeline.config.student, ("width",), 6 / 16).shape.width == 3
    assert len(asked) <= 4
    again = len(asked)
    assert hastening.share_in_time(pipeline, "quick", QUICK) == share
    assert len(asked) == again  # measured once
    kept = read_json(pipeline.folder.path / "shapes/quick/share.json")
    assert kept["share"] == share
    assert [6 / 16, 0.5] in kept["tried"]


def test_what_no_share_reaches_is_refused_with_what_was_measured(pipeline, monkeypatch):
    told(monkeypatch, lambda share: 0.6 + 0.4 * float(share))
    with pytest.raises(ConfigError, match=r"cannot get to 0\.5 of the time.*still took 0\.65"):
        hastening.share_in_time(pipeline, "quick", QUICK)


def test_a_real_clock_tells_a_smaller_model_from_a_larger(pipeline):
    """One of a hundredth of the units of another; leniently, since this machine has other things to do."""
    large = SASRecConfig(width=64, blocks=4, heads=1, history=10, widening=64)
    ratio = hastening._beside_whole(pipeline, at_share(large, ("units",), 0.01))
    assert 0 < ratio < 0.9


def test_no_time_no_measuring(pipeline, monkeypatch):
    asked = told(monkeypatch, lambda share: 1.0)
    half = Reduction.model_validate({"prune": {"parameters": 0.5}})
    assert hastening.share_in_time(pipeline, "half", half) is None
    assert asked == []


def test_the_share_found_is_what_is_pruned_to():
    from recdistill.distill.recipe import Recipe

    (phase,) = QUICK.after(Recipe(), 10, 0.25).phases
    assert phase.prune is not None
    assert phase.prune.kind == "structure"
    assert (phase.prune.share, phase.prune.parts) == (0.25, ("units", "width"))


def test_a_recipe_cannot_measure():
    from recdistill.distill.recipe import Recipe

    with pytest.raises(ValueError, match="timed"):
        Recipe.of({"phases": [{"prune": {"latency": 0.5}}]})
