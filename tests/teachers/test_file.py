"""A teacher made of lists: it orders where they speak, and leaves the rest to its base."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch

from recdistill.data.hearsay.leaks import Guard
from recdistill.data.preparation import load_dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError
from recdistill.files import file_sha256
from recdistill.teachers import besides, load_teacher, make_teacher, never_says
from recdistill.training.options import RunOptions

CANDIDATES = {"model": {"kind": "popularity"}, "number": 30}


@pytest.fixture(scope="module")
def dataset(make_source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    split = {"kind": "leave-one-out"}
    return load_dataset(make_source(folder), into=folder / "dataset", name="tiny", split=split)


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def lists(dataset, choose):
    """`choose(user, history)` gives a list of dense items for each user."""
    histories = dataset.train.histories
    return [
        {
            "user_id": raw,
            "items": dataset.vocabulary.decode(choose(user, histories[user])).to_list(),
        }
        for user, raw in enumerate(dataset.users.ids)
    ]


def noise(dataset):
    random = np.random.default_rng(5)
    return lists(dataset, lambda user, history: random.permutation(40)[:5].astype(np.int32))


def half_right(dataset):
    """Three of ten lists begin with the next item: as much as may be skill."""
    random = np.random.default_rng(5)
    targets = {
        int(user): int(dataset.valid.targets[row][0])
        for row, user in enumerate(dataset.valid.users)
    }

    def choose(user, history):
        others = [i for i in random.permutation(40) if i != targets.get(user)][:4]
        return np.array([targets[user], *others] if user % 10 < 3 else others, dtype=np.int32)

    return lists(dataset, choose)


def config(path, **settings):
    return {"kind": "file", "lists": {"path": path}, "candidates": CANDIDATES, **settings}


def test_lists_that_are_right_make_a_better_teacher_and_noise_is_not_heard(dataset, tmp_path):
    good = make_teacher(config(write(tmp_path / "good.jsonl", half_right(dataset)))).fit(dataset)
    bad = make_teacher(config(write(tmp_path / "bad.jsonl", noise(dataset)))).fit(dataset)
    assert good.recommender.config.blend.judge > 3 * bad.recommender.config.blend.judge
    valid = dataset.valid
    answers = torch.from_numpy(valid.targets.values[valid.targets.starts].astype(np.int64))[:, None]

    def surprise(model):
        scores = model.score(model.states(valid.histories)).log_softmax(1)
        return -float(scores.gather(1, answers).mean())

    heat = good.recommender.config.temperature
    base = good.recommender.base
    alone = base.score(base.states(valid.histories)).div(heat).log_softmax(1)
    assert surprise(good.recommender) < -float(alone.gather(1, answers).mean()) - 0.05


def test_of_other_contexts_its_base_speaks(dataset, tmp_path):
    teacher = make_teacher(config(write(tmp_path / "said.jsonl", half_right(dataset))))
    model = teacher.fit(dataset).recommender
    ends = dataset.train.histories
    middles = Sequences(ends.values, ends.starts, ends.stops - 1)
    base = model.base.score(model.base.states(middles)).div(model.config.temperature)
    torch.testing.assert_close(model.score(model.states(middles)), base.log_softmax(1))
    heard = model.said(model.states(ends)).judged.isfinite().any(1)
    assert int(heard.sum()) > 0.9 * len(ends)


def test_what_was_found_is_told_noted_and_part_of_the_identity(dataset, tmp_path):
    rows = [*half_right(dataset), {"user_id": "a stranger", "items": ["i0001"]}]
    path = write(tmp_path / "said.jsonl", rows)
    teacher = make_teacher(config(path)).fit(dataset)
    join = teacher.notes["join"]
    assert (join["records"], join["about_unknown_users"], join["joined"]) == (61, 1, 60)
    assert join["items"]["id"] == join["items"]["mentions"]
    (leaks,) = teacher.notes["leaks"]
    assert (leaks["window"], leaks["named"], leaks["leaks"]) == ("validation", 18, False)
    assert (
        teacher.notes["remarks"][0] == "Of 61 records in said.jsonl, 60 could be joined to the log."
    )
    assert "The judge answered" in teacher.notes["remarks"][-1]
    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", dataset)
    assert again.identity() == teacher.identity()
    states = [one.recommender.states(dataset.train.histories) for one in (teacher, again)]
    assert torch.equal(torch.nan_to_num(states[0]), torch.nan_to_num(states[1]))


def test_the_content_of_the_file_decides(dataset, tmp_path):
    path = write(tmp_path / "said.jsonl", half_right(dataset))
    settings = make_teacher(config(path)).config
    assert besides(settings) == [file_sha256(path)]
    assert never_says(settings) == {"item-vectors", "user-vectors"}
    before = make_teacher(settings).fit(dataset).identity()
    write(path, half_right(dataset)[1:])
    assert besides(settings) == [file_sha256(path)]
    assert make_teacher(settings).fit(dataset).identity().revision != before.revision


def cheating(dataset):
    targets = {
        int(user): dataset.valid.targets[row] for row, user in enumerate(dataset.valid.users)
    }
    return lists(dataset, lambda user, history: targets[user])


def test_lists_that_know_validation_are_refused_before_anything_is_trained(dataset, tmp_path):
    path = write(tmp_path / "said.jsonl", cheating(dataset))
    slow = {"model": {"kind": "sasrec"}, "training": {"epochs": 100000}}
    with pytest.raises(DataError, match=r"60 of 60 lists .100%.*A LEAK") as caught:
        make_teacher(config(path, candidates=slow)).fit(dataset)
    assert "leaks: scrub" in caught.value.hint
    with pytest.raises(DataError, match="nothing is left"):
        make_teacher(config(path, leaks="scrub")).fit(dataset)
    taken = make_teacher(config(path, leaks="allow")).fit(dataset)
    assert "A LEAK" in " ".join(taken.notes["remarks"])


def test_the_test_is_guarded_by_whom_the_pipeline_sends(dataset, tmp_path):
    from recdistill.data.holdout import open_test

    cases = open_test(dataset.folder)
    last = {int(user): cases.targets[row] for row, user in enumerate(cases.users)}
    path = write(tmp_path / "said.jsonl", lists(dataset, lambda user, history: last[user]))
    quiet = make_teacher(config(path)).fit(dataset)
    assert [one["window"] for one in quiet.notes["leaks"]] == ["validation"]
    sent = RunOptions(guard=Guard(cases, "test", dataset))
    with pytest.raises(DataError, match="held out for test"):
        make_teacher(config(path)).fit(dataset, sent)
    ensemble = {
        "kind": "ensemble",
        "members": [config(path), {"kind": "recommender", "model": {"kind": "popularity"}}],
        "combine": {"kind": "probabilities"},
    }
    with pytest.raises(DataError, match="held out for test"):
        make_teacher(ensemble).fit(dataset, sent)


def test_scores_about_everybody_teach_too(dataset, tmp_path):
    """Whoever knows what was popular later says so of every film."""
    later = np.bincount(dataset.valid.targets.values, minlength=dataset.num_items)
    path = tmp_path / "said.csv"
    frame = pl.DataFrame({"item_id": dataset.vocabulary.ids, "score": np.log1p(later)})
    frame.head(39).write_csv(path)
    told = {"path": path, "user_id": None, "items": "item_id", "rows": "item", "scores": "score"}
    teacher = make_teacher(
        {"kind": "file", "lists": told, "candidates": {**CANDIDATES, "number": 40}}
    ).fit(dataset)
    assert teacher.recommender.config.blend.judge > 0
    said = teacher.recommender.said(teacher.recommender.states(dataset.train.histories))
    unsaid = said.candidates[~said.judged.isfinite()]
    assert set(unsaid.tolist()) == {39}
