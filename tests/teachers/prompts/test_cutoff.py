"""A prompt about a context knows nothing of what happened after its cut-off, nor of anybody else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from chat_server import Seen, chat_server, knowing
from tiny_decoders import save_decoder

from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError
from recdistill.teachers import make_teacher
from recdistill.teachers.prompts import Prompt, shown
from recdistill.teachers.words import WordsConfig

HISTORY = 4


@pytest.fixture
def small(make_dataset, tmp_path):
    return make_dataset(tmp_path, users=8, items=20, events=90)


@pytest.fixture
def contexts(small):
    """The history that ends at one training event, in the log as it is, and in one in which all that is no part of it,
    everybody's, happened otherwise."""
    train = small.train
    row = int(np.flatnonzero(np.diff(train.offsets) > 6)[0])
    first = int(train.offsets[row])
    cut = first + 4
    items = (train.items + 1) % small.num_items
    items[first : cut + 1] = train.items[first : cut + 1]
    other = replace(small, train=replace(train, items=items))
    place = np.array([cut])
    found = [data.contexts().histories.take(place) for data in (small, other)]
    assert found[0][0].tolist() == found[1][0].tolist() == train.items[first : cut + 1].tolist()
    assert found[0].values[cut + 1] != found[1].values[cut + 1]
    return found


@pytest.fixture
def prompts(monkeypatch):
    """Every prompt that is rendered."""
    said, render = [], Prompt.render

    def kept(self, *args, **facts):
        found = render(self, *args, **facts)
        said.append((found.system, found.user))
        return found

    monkeypatch.setattr(Prompt, "render", kept)
    return said


def _taken(said: list) -> list:
    found = said.copy()
    said.clear()
    return found


def test_a_chat_model_and_a_profile_see_what_came_before_and_no_more(
    small, contexts, prompts, tmp_path
):
    def mind(seen: Seen) -> str:
        return knowing(seen) if len(seen.blocks) > 1 else "Likes crime."

    with chat_server(mind) as server:
        config = {
            "kind": "chat",
            "endpoint": {"base_url": server.url, "model": "m"},
            "candidates": {"model": {"kind": "item-knn"}, "number": 5},
            "history": HISTORY,
            "ledger": str(tmp_path / "ledger.sqlite"),
            "form": "text",
            "blend": {"judge": 1.0},
        }
        model = make_teacher(config).fit(small).recommender
        words = WordsConfig(of="profile", model="nobody")
        prompts.clear()
        seen = []
        for histories in contexts:
            model.states(histories)
            words.texts(model, histories)
            seen.append(_taken(prompts))
        bodies = [json.dumps(one.body) for one in server.seen]
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2 + 1, "two orders and a profile"
    assert len(bodies) == 3, "of the same questions nothing is asked again"
    text = small.items.texts()[contexts[0][0][-1]]
    assert all(text in user for _, user in seen[0])


@pytest.mark.parametrize(
    "speaks",
    [
        {
            "kind": "likelihood",
            "candidates": {"model": {"kind": "item-knn"}, "number": 5},
            "blend": {"judge": 1.0},
        },
        {"kind": "generate", "beams": 3},
        {"kind": "embedding"},
    ],
    ids=lambda speaks: speaks["kind"],
)
def test_a_decoder_sees_what_came_before_and_no_more(speaks, small, contexts, prompts, tmp_path):
    folder = save_decoder(tmp_path / "model", "gpt2")
    config = {"kind": "causal-lm", "model": str(folder), "history": HISTORY, "speaks": speaks}
    model = make_teacher(config).fit(small).recommender
    prompts.clear()
    found = []
    for histories in contexts:
        scores = model.score(model.states(model.trimmed(histories)))
        found.append((_taken(prompts), scores))
    assert found[0][0] == found[1][0] != []
    assert torch.equal(found[0][1], found[1][1])


def test_histories_among_other_events_are_shown_to_nobody():
    log = Sequences.from_lists([[0, 1, 2, 3], [4, 5]])
    assert [*shown(log, 4)] == [[0, 1, 2, 3], [4, 5]]
    assert [*shown(log.tail(2).packed(), 2)] == [[2, 3], [4, 5]]
    assert [*shown(Sequences.from_lists([]), 2)] == []
    prefix = Sequences(log.values, log.starts, log.stops - 1)
    for bad in (prefix, log.tail(2), log.take(slice(0, 1)), log.take(np.array([1, 0]))):
        with pytest.raises(RecDistillError, match="later ones"):
            shown(bad, 4)
    with pytest.raises(RecDistillError, match="later ones"):
        shown(log, 3)
