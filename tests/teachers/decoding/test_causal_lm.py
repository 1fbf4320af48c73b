"""The teacher from its settings to its signals, with tiny models."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from recdistill.config.located import LocatedYaml
from recdistill.config.tree import parse_config
from recdistill.errors import ConfigError
from recdistill.signals.kinds import HardLabel, ItemVectors, TopK, UserVectors
from recdistill.teachers import (
    CausalLMTeacher,
    besides,
    label,
    load_teacher,
    make_teacher,
    never_says,
)
from recdistill.teachers.blending import Blend
from recdistill.teachers.loading import teacher_config
from recdistill.teachers.reranked import Reranked
from recdistill.teachers.speech import LISTS, VECTORS
from recdistill.teachers.stand_in import stand_in

SPEAKS = {
    "likelihood": {"candidates": {"model": {"kind": "popularity"}, "number": 6}},
    "generate": {"beams": 4},
    "embedding": {"sample": 50},
}


@pytest.fixture(scope="module")
def dataset(make_dataset, tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("small"), users=15, items=12, events=160)


@pytest.fixture(scope="module")
def settings(decoder_folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("prompts") / "lines.j2"
    file.write_text(
        "{% block user %}{% for item in history %}{{ item.text }}\n{% endfor %}{% endblock %}"
    )

    def of(kind: str, **changed):
        speaks = {"kind": kind, **SPEAKS[kind], **changed.pop("speaks", {})}
        model = str(decoder_folder("qwen3"))
        return {
            "kind": "causal-lm",
            "model": model,
            "prompt": str(file),
            "history": 5,
            "speaks": speaks,
            **changed,
        }

    return of


@pytest.fixture(scope="module")
def fitted(settings, dataset):
    made = {}

    def of(kind: str) -> CausalLMTeacher:
        if kind not in made:
            made[kind] = make_teacher(settings(kind)).fit(dataset)
        return made[kind]

    return of


@pytest.mark.parametrize("kind", SPEAKS)
def test_it_labels_and_speaks_on_from_disk(fitted, dataset, tmp_path, kind):
    teacher = fitted(kind)
    vectors = (ItemVectors(), UserVectors()) if kind == "embedding" else ()
    signals = label(teacher, dataset, tmp_path / "signals", [TopK(k=5), HardLabel(), *vectors])
    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", dataset)
    assert again.identity() == teacher.identity()
    contexts = dataset.contexts().distinct()
    said = again.speak(contexts.take(slice(0, 20)), [TopK(k=5)])["top-k"]
    kept = signals["top-k"].read(signals["top-k"].find(contexts.keys[:20]))
    np.testing.assert_array_equal(said["items"], kept["items"])
    np.testing.assert_allclose(said["logits"], kept["logits"], atol=2e-2)  # kept in halves


def test_its_word_about_candidates_is_heard(fitted, dataset):
    """With its own blend the list is the judge's order: what the language model finds likeliest comes first."""
    reranked = fitted("likelihood").recommender
    config = reranked.config.model_copy(update={"blend": Blend(base=0.0, judge=1.0)})
    loud = Reranked(reranked.base, reranked.judge, config)
    histories = dataset.contexts().distinct().histories.take(np.arange(3, 9))
    said = loud.said(loud.states(histories))
    likely = reranked.judge.judge(histories.tail(5), said.candidates.numpy())
    np.testing.assert_allclose(said.judged, likely, atol=1e-5)
    assert np.isfinite(likely).all()
    scores = loud.score(loud.states(histories))
    first = said.candidates[np.arange(6), likely.argmax(1)]
    inside = scores.gather(1, said.candidates)
    assert (said.candidates[np.arange(6), inside.argmax(1)] == first).all()


@pytest.mark.parametrize("kind", SPEAKS)
def test_what_it_says_is_known_before_it_is_fitted(fitted, settings, kind):
    config = teacher_config.validate_python(settings(kind))
    said = frozenset(LISTS) if kind != "embedding" else frozenset((*LISTS, *VECTORS))
    assert fitted(kind).says == said
    assert never_says(config) == frozenset((*LISTS, *VECTORS)) - said
    assert stand_in(config).factorised == (kind == "embedding")


def test_it_notes_what_was_found_out(fitted):
    notes = fitted("generate").notes
    assert notes["branches"] == "shared"
    assert notes["dtype"] == "float32"
    assert notes["items_without_title"] == 0
    assert 0 < notes["share"] < 1
    assert fitted("embedding").notes["popularity"] in (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    assert fitted("embedding").width == 32 + 2
    assert {"blend", "asked", "answered"} <= set(fitted("likelihood").notes)
    assert fitted("likelihood").texts


def test_who_else_would_speak_has_another_identity(fitted, settings, dataset):
    plain = fitted("generate").identity()
    for change in ({"title": "{title}, {genres}"}, {"history": 3}, {"speaks": {"beams": 5}}):
        other = make_teacher(settings("generate", **change)).fit(dataset)
        assert other.identity() != plain


def test_files_that_decide_are_beside_the_dataset(settings, tmp_path):
    config = teacher_config.validate_python(settings("generate"))
    prompt = tmp_path / "other.j2"
    prompt.write_text("{% block user %}{{ history[0].text }}{% endblock %}")
    other = teacher_config.validate_python(settings("generate", prompt=str(prompt)))
    assert len(besides(config)) == 2
    assert besides(config)[0] == besides(other)[0]
    assert besides(config)[1] != besides(other)[1]


def test_a_catalogue_without_titles_is_refused(settings, make_dataset, tmp_path):
    dataset = make_dataset(tmp_path, users=15, items=12, events=160)
    bare = dataset.items.frame.with_columns(title=None)
    object.__setattr__(dataset.items, "frame", bare)
    with pytest.raises(ConfigError, match="No item has a title"):
        make_teacher(settings("generate", title="{title}")).fit(dataset)


def test_vectors_that_it_does_not_have_are_refused_while_the_configuration_is_read():
    text = {
        "dataset": {"source": "movielens-100k"},
        "teacher": {"kind": "causal-lm", "model": "acme/model", "speaks": "generate"},
        "signals": [{"kind": "item-vectors"}],
        "student": {"kind": "sasrec"},
    }
    with pytest.raises(ConfigError, match="cannot say 'item-vectors'"):
        parse_config(LocatedYaml.parse(yaml.safe_dump(text), "written"))
