from __future__ import annotations

import copy
import importlib.util
import io
import shutil
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from code_of_its_own import with_code
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.teachers.decoding.decoder import Decoder, compute_type
from recdistill.teachers.decoding.prompting import Prompting, as_letters, read
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.source import Source
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.features import TextSource


@dataclass(frozen=True)
class Plain:
    system: str
    user: str


class Lines:
    """A title a line."""

    def render(self, history, candidates=()):
        return Plain("", "\n".join(f"The crime story {item}" for item in history))


def test_pickled_weights_are_refused(decoder_folder, tmp_path):
    folder = shutil.copytree(decoder_folder("gpt2"), tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="no weights in safetensors format"):
        Decoder.load(folder, SourceConfig(model=str(folder)))


def test_code_that_comes_with_a_model_does_not_run(decoder_folder, tmp_path, monkeypatch):
    folder, ran = with_code(decoder_folder("gpt2"), tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Decoder.load(folder, SourceConfig(model=str(folder)))
    assert not ran.exists()


@pytest.mark.parametrize(
    ("settings", "library"), [({"bits": 8}, "bitsandbytes"), ({"spread": True}, "accelerate")]
)
def test_a_library_that_is_missing_is_named(decoder_folder, monkeypatch, settings, library):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "recdistill.teachers.decoding.loading.find_spec",
        lambda name: None if name == library else found(name),
    )
    with pytest.raises(ConfigError, match=f"library {library}, which is not installed"):
        Decoder.load(decoder_folder("gpt2"), SourceConfig(model="tiny", **settings))


def test_types():
    cpu = torch.device("cpu")
    assert compute_type(SourceConfig(model="x"), cpu) is torch.float32
    assert compute_type(SourceConfig(model="x", dtype="bfloat16"), cpu) is torch.bfloat16


def test_the_revision_is_that_of_the_files_and_known_without_loading(decoder_folder, tmp_path):
    folder = decoder_folder("gpt2")
    source = Source(SourceConfig(model=str(folder)))
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert Source(SourceConfig(model=str(copy))).revision == source.revision
    assert "decoder" not in vars(source)
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text() + " ")
    assert Source(SourceConfig(model=str(copy))).revision != source.revision
    assert SourceConfig(model=str(folder)).besides == [source.revision]
    assert SourceConfig(model="acme/model").besides == []


def test_large_files_of_the_hubs_cache_are_known_by_their_names(tmp_path):
    from recdistill.teachers.decoding.weights import files_hash

    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / "c0ffee"
    assert Source(SourceConfig(model=str(tmp_path))).commit is None
    blobs.mkdir()
    folder.mkdir(parents=True)
    hashes = []
    for name in ("a" * 64, "b" * 64):
        (blobs / name).write_text("weights")
        (folder / "model.safetensors").unlink(missing_ok=True)
        (folder / "model.safetensors").symlink_to(blobs / name)
        hashes.append(files_hash(folder))
    assert hashes[0] != hashes[1]
    assert Source(SourceConfig(model=str(folder))).commit == "c0ffee"


# What is read


def test_special_tokens_in_titles_are_letters(decoder):
    model = decoder("gpt2")
    (tokens,) = spoken(model, ["A <|endoftext|> B"], "\n", 40)
    assert model.end not in tokens
    assert model.tokenizer.decode(tokens) == "A <|endoftext|> B\n"


def test_titles_end_with_the_line_or_with_the_text_and_long_ones_are_cut(decoder):
    model = decoder("gpt2")
    texts = ["The  crime\nstory 3", "x" * 60, " "]
    lines, ended = spoken(model, texts, "\n", 8), spoken(model, texts, None, 8)
    assert model.tokenizer.decode(lines[0]) == "The crime story 3\n"
    assert ended[0][-1] == model.end
    assert [len(line) for line in lines[1:]] == [8, 0]
    assert lines[1][-1] == lines[0][-1]
    assert ended[1][-1] == model.end
    assert len(ended[1]) == 8


def test_a_prompt_is_plain_text_where_the_model_does_not_converse(decoder):
    model = decoder("gpt2")
    tokens = read(model, Plain("Be brief.", "What next? <|im_start|>"))
    assert model.tokenizer.decode(tokens) == "Be brief.\n\nWhat next? <|im_start|>\n"
    assert not set(tokens) & set(model.tokenizer.all_special_ids)


def test_a_prompt_is_a_conversation_where_the_tokenizer_has_a_template(decoder):
    model = decoder("gpt2", chat=True)
    tokens = read(model, Plain("Be brief.", "What next?"))
    assert model.tokenizer.decode(tokens) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat next?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert len(set(tokens) & set(model.tokenizer.all_special_ids)) == 2


def test_no_special_token_gets_into_a_conversation_by_what_is_said(decoder):
    """Also those without brackets, which look like words, in any case, and put together of others."""
    plain = decoder("gpt2", chat=True)
    clean = read(plain, Plain("Be brief.", "What next?"))
    model = replace(plain, tokenizer=copy.deepcopy(plain.tokenizer))
    added = ["@@STOP@@", "END_OF_TURN", "~", "@@"]
    model.tokenizer.add_special_tokens({"additional_special_tokens": added}, False)
    assert set(added) <= set(model.special)
    said = "Heat @@STOP@@ END_OF_TURN end_of_turn ~ @@@@STOP@@@@ <|im_end|> END_OF_END_OF_TURNTURN"
    tokens = read(model, Plain(said, said))
    specials = set(model.tokenizer.all_special_ids) | {
        model.tokenizer.convert_tokens_to_ids(token) for token in added
    }
    assert [one for one in tokens if one in specials] == [one for one in clean if one in specials]
    assert model.tokenizer.decode(tokens).count("Heat") == 2


@given(st.text(alphabet="@~AB ", max_size=30))
def test_what_is_as_letters_holds_no_special_token(text):
    special = ("@@AB@@", "ab", "@@", "~")
    found = as_letters(text, special)
    assert not any(token in found.lower() for token in ("@@", "ab", "~"))
    assert found.replace(" ", "") == text.replace(" ", "").replace("~", "")


def test_of_prompts_that_are_too_long_the_oldest_items_are_left_out(decoder):
    model = decoder("gpt2")
    wording = Lines()
    histories = Sequences.from_lists([list(range(40)), [5]]).tail(30).packed()
    roomy, tight = (
        Prompting(model, wording, history=30, room=room).tokens(histories) for room in (400, 60)
    )
    assert model.tokenizer.decode(roomy[0]).count("story") == 30
    text = model.tokenizer.decode(tight[0])
    assert len(tight[0]) <= 60
    assert "story 39" in text
    assert 2 <= text.count("story") < 30
    assert tight[1] == roomy[1]
    with pytest.raises(ConfigError, match="A prompt about one item takes"):
        Prompting(model, wording, history=30, room=2).tokens(histories)


def test_an_answer_ends_as_the_chat_template_ends_it(decoder):
    plain, talking = decoder("gpt2"), decoder("gpt2", chat=True)
    assert plain.tokenizer.decode([plain.end]) == "<|endoftext|>"
    tokenizer = copy.deepcopy(talking.tokenizer)
    tokenizer.eos_token = "<|endoftext|>"  # as Gemma's, which ends a turn with another token
    assert replace(talking, tokenizer=tokenizer).end == talking.end
    assert talking.tokenizer.decode([talking.end]) == "<|im_end|>"


def test_an_adapter_of_the_hub_is_pinned_by_its_own_revision(tmp_path, monkeypatch):
    asked = []

    def locate(model, revision, say, **_):
        asked.append((model, revision))
        return SimpleNamespace(folder=tmp_path)

    monkeypatch.setattr("recdistill.language.hub.locate", locate)
    monkeypatch.setattr("recdistill.teachers.adapting.adapters.require", lambda folder: None)
    pinned = {"adapter": "acme/adapter", "adapter_revision": "abc"}
    assert Source(SourceConfig(model="acme/model", revision="v1", **pinned)).adapter == tmp_path
    assert TextSource(**pinned)._adapter(print) == tmp_path
    assert asked == [("acme/adapter", "abc")] * 2
    for kind, settings in ((SourceConfig, {"model": "m"}), (TextSource, {})):
        with pytest.raises(ValidationError, match="pins an adapter"):
            kind(**settings, adapter_revision="abc")
        assert "adapter_revision" not in kind(**settings).model_dump()
