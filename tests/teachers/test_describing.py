"""Descriptions that a chat model writes become texts that an encoder reads."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from chat_server import Seen, chat_server
from payloads import PAYLOADS

from recdistill.errors import ConfigError, EndpointError
from recdistill.teachers import besides, load_teacher, make_teacher
from recdistill.teachers.describing import DescribingConfig
from recdistill.teachers.loading import teacher_config
from recdistill.training.options import RunOptions

TEXTS = ["The crime story 1. crime", "", "The space story 2. space", "The crime story 1. crime"]


def telling(seen: Seen) -> str:
    (line,) = seen.user.split("\n")[2:3]
    words = line.split()
    return f"A tale of {words[min(1, len(words) - 1)]},\n  for everybody."


def config(server, tmp_path, **settings) -> DescribingConfig:
    where = {"base_url": server.url, "model": "m", "backoff": 0.01}
    return DescribingConfig(endpoint=where, ledger=tmp_path / "ledger.sqlite", **settings)


def test_each_text_is_described_once_and_paid_for_once(tmp_path):
    with chat_server(telling) as server:
        for _ in range(2):
            found = config(server, tmp_path).described(TEXTS, "me")
        assert len(server.seen) == 2
        more = config(server, tmp_path).described([*TEXTS, "The music story 3. music"], "me")
        assert len(server.seen) == 3
    assert found.texts == [
        "The crime story 1. crime. A tale of crime, for everybody.",
        "",
        "The space story 2. space. A tale of space, for everybody.",
        "The crime story 1. crime. A tale of crime, for everybody.",
    ]
    assert (found.written, found.missing) == (2, 0)
    assert more.texts[:4] == found.texts


@pytest.mark.parametrize(
    "nonsense", ["", " \n", (400, {"error": {"message": "no"}}), (200, b"cut")]
)
def test_without_a_description_a_text_stays_as_it_is(tmp_path, nonsense):
    with chat_server(lambda seen: nonsense) as server:
        found = config(server, tmp_path).described(TEXTS, "me")
    assert found.texts == TEXTS
    assert (found.written, found.missing) == (0, 2)


def test_an_outage_is_no_missing_description(tmp_path):
    def sick(seen: Seen):
        return (
            (500, {"error": {"message": "out of order"}}) if "crime" in seen.user else telling(seen)
        )

    with chat_server(sick) as server:
        with pytest.raises(EndpointError, match="1 question has no answer yet from m at http"):
            config(server, tmp_path).described(TEXTS, "me")
        server.mind, server.seen = telling, []
        assert config(server, tmp_path).described(TEXTS, "me").missing == 0
        assert len(server.seen) == 1


def test_a_budget_leaves_the_rest_as_they_are_and_long_ones_are_cut(tmp_path):
    with chat_server(lambda seen: "x" * 5000) as server:
        found = config(server, tmp_path, budget={"calls": 1}, max_characters=50).described(
            TEXTS, "me"
        )
        assert len(server.seen) == 1
    assert (found.written, found.missing) == (1, 1)
    longer = {len(new) - len(old) for new, old in zip(found.texts, TEXTS, strict=True)}
    assert longer == {0, len(". ") + 50}


def test_a_budget_is_that_of_a_catalogue(tmp_path, tiny_dataset, make_dataset):
    """Two catalogues have two; an edited title begins no fresh one, nor does asking faster."""
    other = make_dataset(tmp_path, users=8, items=20, events=90)
    items = tiny_dataset.items
    edited = replace(
        tiny_dataset, items=replace(items, frame=items.frame.with_columns(title=pl.lit("x")))
    )
    with chat_server(telling) as server:
        one = config(server, tmp_path, budget={"calls": 2})
        faster = one.model_copy(
            update={"endpoint": one.endpoint.model_copy(update={"timeout": 9.0})}
        )
        assert one.payer(tiny_dataset) == one.payer(edited) == faster.payer(tiny_dataset)
        texts = tiny_dataset.items.texts()
        found = [one.described(texts, one.payer(data)) for data in (tiny_dataset, other, edited)]
        assert [each.written for each in found] == [2, 4, 4]
        assert len(server.seen) == 4


def test_what_it_would_cost_is_told_before(tmp_path):
    with chat_server(telling) as server:
        assert config(server, tmp_path).plan(TEXTS, "me").calls == 2
        assert not server.seen
        config(server, tmp_path).described(TEXTS, "me")
        assert config(server, tmp_path).plan(TEXTS, "me").calls == 0


def test_attacks_in_texts_are_fenced(tmp_path):
    some = [text for text in PAYLOADS if text][::9]
    with chat_server(telling) as server:
        config(server, tmp_path).described(some, "me")
        for seen in server.seen:
            assert len(seen.user.split("\n")) == 4, "the item's text is one line between the fences"


def reader(encoder, **more) -> dict:
    head = {"kind": "sasrec", "width": 8, "blocks": 1, "history": 8}
    training = {"epochs": 1, "batch_size": 64}
    return {
        "kind": "text-encoder",
        "model": str(encoder),
        "head": head,
        "training": training,
        **more,
    }


def test_a_text_encoder_reads_descriptions_and_is_another_by_them(
    tiny_dataset, tiny_encoder, tmp_path
):
    with chat_server(telling) as server:
        describing = config(server, tmp_path).model_dump(mode="json")
        with_words = make_teacher(reader(tiny_encoder, describing=describing)).fit(tiny_dataset)
        plain = make_teacher(reader(tiny_encoder)).fit(tiny_dataset)
        texts = set(tiny_dataset.items.texts())
        assert len(server.seen) == len(texts)
    assert with_words.notes["described"] == len(texts)
    assert "described" not in plain.notes
    assert with_words.texts != plain.texts == tiny_dataset.items.text_hash()
    assert "descriptions by m" in with_words.name
    one, two = (teacher.item_vectors() for teacher in (with_words, plain))
    assert not np.allclose(one, two)
    assert besides(with_words.config) != besides(plain.config) == []


def test_who_was_read_from_a_folder_has_nothing_more_described(
    make_dataset, tiny_encoder, tmp_path, monkeypatch
):
    """A teacher that goes on reads new items; whom its folder names is not asked about them, and gets no key."""
    monkeypatch.setenv("MY_SECRET", "sk-very-secret")
    dataset = make_dataset(tmp_path, users=8, items=12, events=90)
    items = dataset.items
    renamed = items.frame.with_columns(pl.col("title") + "!")
    later = replace(dataset, items=replace(items, frame=renamed))
    with chat_server(telling) as mine, chat_server(telling) as theirs:
        plain = reader(tiny_encoder, describing=config(mine, tmp_path).model_dump(mode="json"))
        make_teacher(plain).fit(dataset).save(tmp_path / "teacher")
        asked = len(mine.seen)
        own = load_teacher(
            tmp_path / "teacher", dataset, trusting=teacher_config.validate_python(plain)
        )
        record = tmp_path / "teacher/teacher.json"
        lure = {"base_url": theirs.url, "api_key_env": "MY_SECRET"}
        told = json.loads(record.read_text())
        told["config"]["describing"]["endpoint"] |= lure
        record.write_text(json.dumps(told))
        for trusting in (None, teacher_config.validate_python(plain)):
            teacher = load_teacher(tmp_path / "teacher", dataset, trusting=trusting)
            with pytest.raises(ConfigError, match=f"at {theirs.url}, with the key in MY_SECRET"):
                teacher.source.features(later, RunOptions())
        assert not theirs.seen
        own.source.features(later, RunOptions())
        assert len(mine.seen) > asked


def test_a_configuration_without_descriptions_is_written_as_before(tiny_encoder):
    written = teacher_config.validate_python({"kind": "text-encoder", "model": "x"}).model_dump()
    assert "describing" not in written
