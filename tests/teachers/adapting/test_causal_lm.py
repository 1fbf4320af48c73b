"""Teachers of kind `causal-lm` whose model is fine-tuned before it speaks."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_decoders import save_decoder

from recdistill.signals.kinds import TopK
from recdistill.teachers import besides, load_teacher, make_teacher
from recdistill.teachers.adapting.pupil import Pupil
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.loading import teacher_config
from recdistill.teachers.reranked import Reranked
from recdistill.training.options import RunOptions

SPEAKS = {
    "likelihood": {"candidates": {"model": {"kind": "popularity"}, "number": 6}, "sample": 20},
    "generate": {"beams": 4, "sample": 20},
    "embedding": {"sample": 20},
}
TRAINING = {
    "epochs": 1,
    "batch_size": 8,
    "optimizer": {"learning_rate": 1e-2},
    "rate": {"kind": "constant"},
}
ADAPT = {
    "lora": {"kind": "lora", "rank": 2, "training": TRAINING},
    "full": {"kind": "full", "training": {**TRAINING, "optimizer": {"learning_rate": 1e-3}}},
}


@pytest.fixture(scope="module")
def small(make_dataset, tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("small"), users=15, items=12, events=160)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_decoder(folder / "qwen3", "qwen3")
    lines = "{% block user %}{% for item in history %}{{ item.text }}\n{% endfor %}{% endblock %}"
    (folder / "lines.j2").write_text(lines)

    def of(speaks: str, **others):
        return {
            "kind": "causal-lm",
            "model": str(folder / "qwen3"),
            "prompt": str(folder / "lines.j2"),
            "history": 5,
            "speaks": {"kind": speaks, **SPEAKS[speaks]},
            **others,
        }

    return of


def scores(teacher, dataset) -> np.ndarray:
    """What the language model itself finds."""
    model, histories = teacher.recommender, dataset.valid.histories.take(slice(0, 6))
    if isinstance(model, Reranked):
        return model.judge.judge(histories, np.tile(np.arange(12), (6, 1)))
    return model.score(model.states(histories)).detach().numpy()


@pytest.mark.parametrize(("speaks", "way"), [("likelihood", "lora"), ("embedding", "full")])
def test_a_decoder_is_fine_tuned_before_it_speaks_and_survives_its_folder(
    speaks, way, small, settings, tmp_path, monkeypatch
):
    taught = Pupil.taught
    monkeypatch.setattr(
        Pupil,
        "taught",  # whatever it is worth, it is kept
        lambda self, lessons, folder, run: taught(
            self, type(lessons)(lessons.batches, lessons.loss, None, lessons.identity), folder, run
        ),
    )
    run = RunOptions(folder=tmp_path / "run")
    teacher = make_teacher(settings(speaks, adapt=ADAPT[way])).fit(small, run)
    plain = make_teacher(settings(speaks)).fit(small)
    assert teacher.notes["adaptation"]["kept"]
    assert teacher.notes["files"] != plain.notes["files"]
    assert teacher.notes["voice"] != plain.notes["voice"]
    assert np.abs(scores(teacher, small) - scores(plain, small)).max() > 1e-3
    teacher.save(tmp_path / "teacher")
    if way == "lora":
        shutil.rmtree(tmp_path / "run")
    again = load_teacher(tmp_path / "teacher", small)
    assert again.identity() == teacher.identity()
    np.testing.assert_allclose(scores(again, small), scores(teacher, small), atol=1e-5)
    assert again.says >= {TopK(k=3).kind}


def test_what_did_not_help_leaves_the_model_as_it_was(small, settings, tmp_path):
    still = {"kind": "lora", "training": {**TRAINING, "optimizer": {"learning_rate": 1e-30}}}
    run = RunOptions(folder=tmp_path)
    teacher = make_teacher(settings("embedding", adapt=still)).fit(small, run)
    plain = make_teacher(settings("embedding")).fit(small)
    assert not teacher.notes["adaptation"]["kept"]
    assert teacher.notes["files"] == plain.notes["files"]
    torch.testing.assert_close(teacher.recommender.item_table(), plain.recommender.item_table())


def test_what_cannot_be_adapted_so_is_refused_while_it_is_read(settings):
    refused = {
        "learns by 'next-title'": settings(
            "likelihood", adapt={"kind": "lora", "objective": "contrastive"}
        ),
        "learns by 'contrastive'": settings(
            "embedding", adapt={"kind": "lora", "objective": "next-title"}
        ),
        "drop one of the two": settings("likelihood", adapt="lora", adapter="somewhere"),
        "spread": settings("likelihood", adapt="lora", spread=True),
    }
    for message, config in refused.items():
        with pytest.raises(ValidationError, match=message):
            teacher_config.validate_python(config)
    written = teacher_config.validate_python(settings("likelihood")).model_dump(mode="json")
    assert not {"adapt", "adapter"} & set(written)


def test_an_adapter_in_a_folder_is_beside_the_dataset(settings, tmp_path):
    from recdistill.files import write_json

    plain = teacher_config.validate_python(settings("likelihood"))
    fitted = teacher_config.validate_python(settings("likelihood", adapter=str(tmp_path)))
    assert besides(fitted) == besides(plain)  # nothing is there yet; reading it is refused
    write_json(tmp_path / "adapter_config.json", {"r": 2})
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    assert len(SourceConfig(model="gpt2", adapter=str(tmp_path)).besides) == 1
    assert len(besides(fitted)) == len(besides(plain)) + 1
