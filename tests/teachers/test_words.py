"""What a chat model says in words becomes vectors of contexts."""

from __future__ import annotations

import numpy as np
import pytest
from chat_server import Seen, chat_server, kind_of, knowing
from pydantic import ValidationError

from recdistill.errors import ConfigError
from recdistill.signals import TopK
from recdistill.signals.kinds import UserVectors
from recdistill.teachers import label, load_teacher, make_teacher, never_says
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.loading import teacher_config
from recdistill.teachers.words import vectors


@pytest.fixture
def small(make_dataset, tmp_path):
    return make_dataset(tmp_path, users=8, items=20, events=90)


@pytest.fixture
def configured(tmp_path, tiny_encoder):
    def make(server, of="rationale", **settings):
        return {
            "kind": "chat",
            "endpoint": {"base_url": server.url, "model": "m", "concurrency": 16},
            "candidates": {"model": {"kind": "item-knn"}, "number": 4},
            "ledger": str(tmp_path / "ledger.sqlite"),
            "orderings": 1,
            "form": "text",
            "blend": {"judge": 1.0},
            "rationale": of == "rationale",
            "words": {"of": of, "model": str(tiny_encoder)},
            **settings,
        }

    return make


def test_rationales_become_vectors_and_cost_no_call_more(small, configured, tmp_path, tiny_encoder):
    with chat_server(knowing) as server:
        teacher = make_teacher(configured(server)).fit(small)
        assert teacher.says == {"top-k", "hard-label", "user-vectors"}
        assert teacher.width == 16
        label(teacher, small, tmp_path / "lists", [TopK(k=3)])
        calls = len(server.seen)
        signals = label(teacher, small, tmp_path / "both", [TopK(k=3), UserVectors()])
        assert len(server.seen) == calls
        teacher.save(tmp_path / "teacher")
        again = load_teacher(tmp_path / "teacher", small)
        contexts = small.contexts().distinct()
        said = again.speak(contexts, [UserVectors()])["user-vectors"]["vectors"]
    stored = signals["user-vectors"].read(signals["user-vectors"].find(contexts.keys))["vectors"]
    np.testing.assert_allclose(said, stored, atol=2e-3)
    texts, encoder = small.items.texts(), TextEncoder(tiny_encoder)
    for row in range(0, len(contexts), 9):
        latest = kind_of(texts[contexts.histories[row][-1]])
        expected = encoder.encode([f"They like {latest}."])[0]
        np.testing.assert_allclose(said[row], expected, atol=1e-5)


def test_profiles_see_the_history_and_nothing_else(small, configured):
    def telling(seen: Seen) -> str:
        return f"Likes {kind_of(seen.history[-1][1])} \n and more."

    with chat_server(telling) as server:
        teacher = make_teacher(configured(server, of="profile")).fit(small)
        contexts = small.contexts().distinct().take(slice(0, 12))
        found = teacher.speak(contexts, [UserVectors()])["user-vectors"]["vectors"]
        assert all(len(seen.blocks) == 1 for seen in server.seen)
        assert len(server.seen) == 12
    assert (np.linalg.norm(found, axis=1) > 0.9).all()


def test_where_nothing_is_said_vectors_are_zeros(small, configured):
    with chat_server(lambda seen: "no idea") as server:
        teacher = make_teacher(configured(server)).fit(small)
        contexts = small.contexts().distinct().take(slice(0, 5))
        found = teacher.speak(contexts, [UserVectors()])["user-vectors"]["vectors"]
    assert not found.any()


def test_each_text_is_read_once_and_rows_are_in_place(tiny_encoder):
    encoder = TextEncoder(tiny_encoder)
    texts = ["space story", "", "crime", "space story"]
    found = vectors(encoder, texts)
    np.testing.assert_array_equal(found[0], found[3])
    assert not found[1].any()
    np.testing.assert_allclose(found[2], encoder.encode(["crime"])[0], atol=1e-5)


def test_what_cannot_be_is_told_before(small, configured):
    with chat_server(knowing) as server:
        with pytest.raises(ValidationError, match="rationale: true"):
            teacher_config.validate_python(configured(server, rationale=False))
        config = teacher_config.validate_python(configured(server))
        silent = teacher_config.validate_python({**configured(server), "words": None})
        members = {"kind": "ensemble", "members": [config.model_dump()]}
        assert never_says(config) == {"item-vectors"}
        assert never_says(silent) == {"item-vectors", "user-vectors"}
        assert never_says(teacher_config.validate_python(members)) == {
            "item-vectors",
            "user-vectors",
        }
        teacher = make_teacher(silent).fit(small)
        with pytest.raises(ConfigError, match="user-vectors"):
            teacher.speak(small.contexts().take(slice(0, 1)), [UserVectors()])
