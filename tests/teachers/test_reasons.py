"""Reasons of whoever counts in a teacher, about the contexts that it is asked about; nobody is asked for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chat_server import chat_server, knowing
from judges import Scripted

from recdistill.data.reasons import Place, Reasons, context_keys
from recdistill.models.popularity import Popularity
from recdistill.teachers import make_teacher
from recdistill.teachers.blending import Blend
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.reasons import reasons, remembering
from recdistill.teachers.reranked import Reranked, RerankedConfig


class Wordy(Scripted):
    """Says the same of the first candidate of everybody, and keeps whom it was told of."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.text, self.told = word, 0

    def why(self, histories, proposed, item_keys):
        self.told += len(histories)
        keys = context_keys(histories, self.history, item_keys)
        firsts = proposed(np.arange(len(histories)))[:, 0].tolist()
        return Reasons.of(
            (Place(key, self.history, item), self.text)
            for key, item in zip(keys, firsts, strict=True)
        )


@pytest.fixture
def popular(tiny_dataset):
    return Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)


def around(base, judge, weight=1.0, sample=None) -> Reranked:
    return Reranked(base, judge, RerankedConfig(number=4, blend=Blend(judge=weight), sample=sample))


def test_who_counts_is_heard_and_of_two_the_first(tiny_dataset, popular):
    some = tiny_dataset.valid.histories.take(slice(0, 30))
    members = [
        around(popular, Wordy(word), weight) for word, weight in (("a", 0), ("b", 1), ("c", 1))
    ]
    assert not len(reasons(members[0], some))
    assert members[0].judge.told == 0
    both = reasons(Mixture([popular, *members], [1.0] * 4), some)
    assert set(both.texts.values()) == {"b"}
    firsts = members[1].proposed(some)[:, 0].tolist()
    rows = [row for row in range(30) if some.lengths[row]]
    told = both.said(some, rows, [firsts[row] for row in rows], tiny_dataset.item_keys)
    assert told == ["b"] * len(rows)
    assert not len(reasons(popular, some))


def test_only_what_is_asked_about_is_looked_up(tiny_dataset, popular):
    histories = tiny_dataset.valid.histories
    model = around(popular, Wordy("why"), sample=7)
    assert 0 < len(reasons(model.about(histories), histories)) <= 7
    assert 0 < model.judge.told <= 7


def test_a_teacher_that_remembers_says_the_same_again_and_asks_nobody(tiny_dataset, tmp_path):
    config = {
        "kind": "chat",
        "candidates": {"model": {"kind": "item-knn"}, "number": 4},
        "ledger": str(tmp_path / "ledger.sqlite"),
        "sample": None,
        "form": "text",
        "rationale": True,
        "blend": {"judge": 1.0},
    }
    asked = tiny_dataset.valid.histories.take(slice(0, 6))
    with chat_server(knowing) as server:
        endpoint = {"base_url": server.url, "model": "m", "concurrency": 16}
        model = make_teacher({**config, "endpoint": endpoint}).fit(tiny_dataset).recommender
        quiet = remembering(model)
        assert not len(reasons(model, asked))
        base = quiet.score(quiet.states(asked))
        assert not server.seen
        said = model.score(model.states(asked))
        calls = len(server.seen)
        assert calls
        assert torch.equal(quiet.score(quiet.states(asked)), said)
        assert not torch.equal(base, said)
        told = reasons(model, asked)
        assert len(told) > 2
        rows = np.repeat(np.arange(6), 4).tolist()
        texts = told.said(
            asked, rows, model.proposed(asked).ravel().tolist(), tiny_dataset.item_keys
        )
        assert {text.split()[:2] == ["They", "like"] for text in texts if text} == {True}
        assert len(server.seen) == calls
        assert model.judge is not quiet.judge
