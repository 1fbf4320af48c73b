"""The teacher: a base proposes, a chat model puts in order, and the rest of the product need not know."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
import torch
from chat_server import chat_server, knowing, lazy
from pydantic import ValidationError

from recdistill.errors import ConfigError, DataError
from recdistill.signals import TopK
from recdistill.teachers import (
    ChatTeacher,
    besides,
    label,
    load_teacher,
    make_teacher,
    never_says,
)
from recdistill.teachers.loading import teacher_config
from recdistill.teachers.stand_in import stand_in


@pytest.fixture
def configured(tmp_path):
    def make(server, **settings) -> dict:
        return {
            "kind": "chat",
            "endpoint": {"base_url": server.url, "model": "m", "concurrency": 16},
            "candidates": {"model": {"kind": "item-knn"}, "number": 5},
            "ledger": str(tmp_path / "ledger.sqlite"),
            "sample": 20,
            "form": "text",
            **settings,
        }

    return make


def test_it_is_fitted_labels_and_is_read_back(tiny_dataset, configured, tmp_path):
    with chat_server(knowing) as server:
        teacher = make_teacher(configured(server)).fit(tiny_dataset)
        asked = teacher.notes["asked"]
        assert 0 < asked <= 20
        assert len(server.seen) == 2 * asked
        assert teacher.notes["answers"]["agreement"] == 1.0
        assert "position_bias" in teacher.notes["answers"]
        teacher.save(tmp_path / "teacher")
        again = load_teacher(tmp_path / "teacher", tiny_dataset)
        assert again.identity() == teacher.identity()
        some = tiny_dataset.valid.histories.take(slice(0, 8))
        models = [one.recommender for one in (teacher, again)]
        assert torch.equal(*(model.score(model.states(some)) for model in models))


def test_every_context_is_bought_once_whoever_labels(make_dataset, configured, tmp_path):
    tiny_dataset = make_dataset(tmp_path, users=8, items=20, events=90)
    with chat_server(knowing) as server:
        teacher = make_teacher(configured(server, blend={"judge": 2.0})).fit(tiny_dataset)
        assert not server.seen, "with the blend given nothing is asked while fitting"
        label(teacher, tiny_dataset, tmp_path / "one", [TopK(k=3)])
        bodies = [json.dumps(seen.body) for seen in server.seen]
        assert len(set(bodies)) == len(bodies)
        contexts = tiny_dataset.contexts().distinct()
        assert len(bodies) <= 2 * len(contexts)
        label(teacher, tiny_dataset, tmp_path / "two", [TopK(k=3)])
        assert len(server.seen) == len(bodies)
    one, two = (sorted((tmp_path / name).rglob("*.safetensors")) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_a_model_that_only_looks_at_places_leaves_the_base_alone(tiny_dataset, configured):
    with chat_server(lazy) as server:
        teacher = make_teacher(configured(server)).fit(tiny_dataset)
    assert teacher.recommender.config.blend.judge == 0.0
    assert any("counts nothing beside the base" in line for line in teacher.notes["remarks"])


def test_what_it_cannot_say_and_its_shape_are_known_before(configured):
    with chat_server(knowing) as server:
        config = teacher_config.validate_python(configured(server))
    assert never_says(config) == {"item-vectors", "user-vectors"}
    hollow = stand_in(config)
    assert not hollow.factorised
    assert hollow.base.kind == "item-knn"


def test_how_fast_it_is_asked_and_where_it_is_kept_does_not_make_it_another(
    tiny_dataset, configured, tmp_path
):
    with chat_server(knowing) as server:
        plain = configured(server, blend={})
        faster = {**plain, "endpoint": {**plain["endpoint"], "concurrency": 2, "timeout": 7.0}}
        moved = {**plain, "ledger": str(tmp_path / "moved.sqlite")}
        other = {**plain, "endpoint": {**plain["endpoint"], "model": "n"}}
        found = [
            make_teacher(given).fit(tiny_dataset).identity()
            for given in (plain, faster, moved, other)
        ]
    assert found[0] == found[1] == found[2] != found[3]
    assert found[0].name == "m"
    assert found[0].texts == tiny_dataset.items.text_hash()


def test_its_template_is_read_beside_the_dataset(configured, tmp_path):
    template = tmp_path / "mine.j2"
    with chat_server(knowing) as server:
        found = []
        for text in ("one", "two"):
            template.write_text("{% block user %}" + text + "{% endblock %}")
            found.append(
                besides(teacher_config.validate_python(configured(server, template=str(template))))
            )
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"template": "rerunk"}, "Did you mean 'rerank'"),
        ({"orderings": 0}, "orderings"),
        ({"candidates": {"model": {"kind": "sasrek"}}}, "sasrec"),
        ({"endpoint": {"base_url": "localhost:8000", "model": "m"}}, "http://"),
        ({"rational": True}, "rational"),
        ({"options": {"stream": True}}, "cannot set stream"),
        ({"options": {"n": 4, "temperature": 1}}, "cannot set n"),
        ({"options": {"tools": []}}, "cannot set tools"),
        ({"options": {"max_completion_tokens": "many"}}, "cannot have 'many' tokens"),
        ({"options": {"stop": date(2024, 1, 1)}}, "what JSON cannot say"),
    ],
)
def test_what_is_wrong_is_told_while_the_configuration_is_read(configured, settings, message):
    with chat_server(knowing) as server, pytest.raises(ValidationError, match=message):
        teacher_config.validate_python(configured(server, **settings))


def test_a_missing_key_is_told_before_anything_is_trained(tiny_dataset, configured, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with chat_server(knowing) as server:
        given = configured(server)
        given["endpoint"]["api_key_env"] = "NO_SUCH_KEY"
        with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
            make_teacher(given).fit(tiny_dataset)


def test_items_without_texts_are_told_before_too(tiny_dataset, configured):
    from dataclasses import replace

    blank = tiny_dataset.items.frame.with_columns(title=pl.lit(""), genres=pl.lit(""))
    dataset = replace(tiny_dataset, items=replace(tiny_dataset.items, frame=blank))
    with chat_server(knowing) as server, pytest.raises(DataError, match="No item has any text"):
        make_teacher(configured(server)).fit(dataset)


def test_a_teacher_knows_its_kind():
    teacher = ChatTeacher.of(endpoint={"base_url": "http://localhost:1", "model": "m"})
    assert teacher.config.kind == "chat"


def test_an_edited_title_begins_no_fresh_budget(tiny_dataset, configured, tmp_path):
    """What a teacher of this configuration may spend is bounded over runs, whatever its items are called."""
    items = tiny_dataset.items
    renamed = items.frame.with_columns(pl.col("title") + "!")
    edited = replace(tiny_dataset, items=replace(items, frame=renamed))
    with chat_server(knowing) as server:
        budget = {"calls": 20}
        first = make_teacher(configured(server, budget=budget)).fit(tiny_dataset)
        assert 0 < (asked := len(server.seen)) <= 20
        assert first.notes["answers"]["unasked"] > 0
        make_teacher(configured(server, budget=budget)).fit(edited)
        assert len(server.seen) == asked
        first.save(tmp_path / "teacher")
        again = load_teacher(tmp_path / "teacher", tiny_dataset)
        assert again.recommender.judge.payer == first.recommender.judge.payer
        make_teacher(configured(server, budget=budget, orderings=1)).fit(edited)
        assert len(server.seen) > asked


def test_a_folder_that_names_an_endpoint_and_a_key_gets_neither(
    tiny_dataset, configured, tmp_path, monkeypatch
):
    """Who made the folder wrote into it whom to ask, and which variable to send; the caller's configuration counts."""
    monkeypatch.setenv("MY_SECRET", "sk-very-secret")
    some = tiny_dataset.valid.histories.take(slice(0, 4))
    with chat_server(knowing) as mine, chat_server(knowing) as theirs:
        plain = configured(mine, blend={"judge": 1.0})
        teacher = make_teacher(plain).fit(tiny_dataset)
        teacher.save(tmp_path / "teacher")
        record = tmp_path / "teacher/model/judge/chat.json"
        told = json.loads(record.read_text())
        told["endpoint"] |= {
            "base_url": theirs.url,
            "known_as": mine.url,
            "api_key_env": "MY_SECRET",
        }
        record.write_text(json.dumps(told))
        alone = load_teacher(tmp_path / "teacher", tiny_dataset).recommender
        with pytest.raises(ConfigError, match="no configuration of yours names"):
            alone.states(some)
        assert not mine.seen
        ours = load_teacher(
            tmp_path / "teacher", tiny_dataset, trusting=teacher_config.validate_python(plain)
        ).recommender
        ours.states(some)
        assert len(mine.seen) == 2 * len(some)
        alone.states(some)  # what was answered is known
        assert not theirs.seen
        other = configured(theirs, blend={"judge": 1.0})
        lent = load_teacher(
            tmp_path / "teacher", tiny_dataset, trusting=teacher_config.validate_python(other)
        ).recommender
        with pytest.raises(ConfigError, match="no configuration of yours names"):
            lent.states(tiny_dataset.valid.histories.take(slice(4, 8)))
        assert not theirs.seen


def test_a_teacher_that_was_read_back_is_asked_as_the_configuration_says_now(
    tiny_dataset, configured, tmp_path
):
    with chat_server(knowing) as server:
        plain = configured(server, blend={"judge": 1.0})
        make_teacher(plain).fit(tiny_dataset).save(tmp_path / "teacher")
        slower = {**plain, "endpoint": {**plain["endpoint"], "concurrency": 2, "timeout": 7.0}}
        config = teacher_config.validate_python(slower)
        again = load_teacher(tmp_path / "teacher", tiny_dataset, trusting=config)
    assert again.recommender.judge.endpoint.where == config.endpoint
