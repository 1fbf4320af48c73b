"""Who reads back somebody's teacher runs no code that comes with its model, unless their own configuration says so."""

from __future__ import annotations

import io

import pytest
from code_of_its_own import GPT2, with_code

from recdistill.errors import ConfigError
from recdistill.teachers import load_teacher, make_teacher
from recdistill.teachers.loading import teacher_config


@pytest.fixture(scope="module")
def dataset(make_dataset, tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("small"), users=12, items=10, events=120)


def alone(config):
    return config


def in_an_ensemble(config):
    popular = {"kind": "recommender", "model": {"kind": "popularity"}}
    return {"kind": "ensemble", "members": [config, popular]}


@pytest.fixture(params=[alone, in_an_ensemble])
def saved(request, decoder_folder, dataset, tmp_path, monkeypatch):
    """Where a teacher lies whose model runs code, how it was made, how one is made that does not, and the file that
    is there once code has run."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    model, ran = with_code(decoder_folder("gpt2"), tmp_path, GPT2)
    prompt = tmp_path / "lines.j2"
    prompt.write_text("{% block user %}{{ history[0].text }}{% endblock %}")
    speaks = {"kind": "embedding", "popularity": 0.0, "sample": 10}
    settings = {"kind": "causal-lm", "model": str(model), "prompt": str(prompt), "speaks": speaks}
    plain, trusting = (
        teacher_config.validate_python(request.param({**settings, **more}))
        for more in ({}, {"trust_remote_code": True})
    )
    teacher = make_teacher(trusting).fit(dataset)
    teacher.save(tmp_path / "teacher")
    ran.unlink()
    return tmp_path / "teacher", trusting, plain, ran


def test_what_a_folder_says_of_trust_counts_for_nothing(saved, dataset):
    folder, trusting, plain, ran = saved
    for mine in (None, plain):
        with pytest.raises(ConfigError, match="asks to run code that comes with") as caught:
            load_teacher(folder, dataset, trusting=mine)
        assert "trusting=config" in caught.value.hint
    assert not ran.exists()
    assert load_teacher(folder, dataset, trusting=trusting).says


def test_trust_in_one_model_is_none_in_another(saved, dataset, tmp_path):
    folder, trusting, _, ran = saved
    (tmp_path / "with-code").rename(tmp_path / "other")
    for record in folder.rglob("*.json"):
        record.write_text(record.read_text().replace("with-code", "other"))
    with pytest.raises(ConfigError, match="asks to run code"):
        load_teacher(folder, dataset, trusting=trusting)
    assert not ran.exists()
