"""A student fed with its teacher's vectors leaves the run as its twin does: by its own, to be served alike."""

from __future__ import annotations

import json

import yaml
from safetensors.numpy import load_file

from recdistill.cli.app import run


def test_what_is_saved_and_exported_is_the_plain_student(tiny, tmp_path):
    init = {"from": "teacher", "what": "item-vectors", "as": "input"}
    config = {
        **tiny,
        "recipe": {"objectives": [{"kind": "next-item"}], "init": init},
        "training": {"epochs": 1, "batch_size": 32},
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 0},
        "trackers": [],
    }
    file, folder = tmp_path / "fed.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    assert run(["export", str(file), "--into", str(folder), "--quiet"]) == 0
    homes = [folder / arm / "seed-0/model" for arm in ("student", "student-without-distillation")]
    models = [json.loads((home / "config.json").read_text())["model"] for home in homes]
    assert models[0] == models[1]
    assert models[0]["items"] == {"kind": "ids"}
    student, twin = (load_file(home / "model.safetensors") for home in homes)
    assert {name: value.shape for name, value in student.items()} == {
        name: value.shape for name, value in twin.items()
    }
    assert (student["items.vectors"] != twin["items.vectors"]).any()
    assert (folder / "bundle/manifest.json").is_file()


def test_who_has_no_vectors_of_its_own_is_refused_while_the_configuration_is_read(
    tiny, tmp_path, capsys
):
    student = {**tiny["student"], "items": {"kind": "offset", "features": 16}}
    config = {**tiny, "student": student, "recipe": {"init": {"as": "input"}}}
    file = tmp_path / "fed.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    assert run(["run", str(file), "--into", str(tmp_path / "run"), "--quiet"]) != 0
    assert "from vectors that are given" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
