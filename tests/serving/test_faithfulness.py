"""Reasons are faithful: taking the first one away costs an item more than taking away any other event, drawn by lot."""

from __future__ import annotations

import numpy as np
import pytest

from recdistill.data.contexts import history_keys
from recdistill.data.reasons import Place, Reasons
from recdistill.data.sequences import Sequences
from recdistill.serving.answering import Student, open_student
from recdistill.serving.messages import RecommendRequest

CLAIMED = 0.8


@pytest.fixture(scope="module")
def trained(tiny_dataset, tmp_path_factory) -> Student:
    """A student that has learned, with reasons of a teacher about one history."""
    from recdistill.bundle.export import export
    from recdistill.models.sasrec import SASRec
    from recdistill.training.options import TrainingConfig

    model = SASRec.for_dataset(tiny_dataset, width=16, heads=1, blocks=1, history=10, seed=1)
    model.fit(tiny_dataset, TrainingConfig(epochs=5, batch_size=16))
    history = [3, 8, 13]
    key = int(history_keys(Sequences.from_lists([history]), tiny_dataset.item_keys)[0])
    reasons = Reasons({Place(key, 3, item): f"It follows {item}." for item in range(0, 40, 2)})
    folder = tmp_path_factory.mktemp("faithful") / "bundle"
    export(model, tiny_dataset, folder, reasons=reasons)
    return open_student(folder)


def histories(dataset, number=40) -> list[list[str]]:
    ids = dataset.vocabulary.ids.to_list()
    random = np.random.default_rng(0)
    users = random.permutation(dataset.train.num_users)[:number].tolist()
    rows = [dict.fromkeys(dataset.train.histories[user].tolist()[::-1]) for user in users]
    # Each film once: of two alike, one stands in for the other.
    return [[ids[item] for item in [*row][:10][::-1]] for row in rows if len(row) >= 4]


def without(student: Student, history: list[str], event: str, item: str) -> float:
    """An item's score by the bundle's own verb, when an event had not been."""
    left = [one for one in history if one != event]
    frame = student.bundle.recommend([left], k=1, filter_seen=False, candidates=[item])
    return float(frame["score"][0])


def share(student: Student, rows: list[list[str]], *, by_lot: bool) -> tuple[float, int]:
    """How often the event that is named costs more than another, and of how many."""
    random, won = np.random.default_rng(1), []
    for history in rows:
        told = student.recommend([RecommendRequest(history=history, k=5, explain=True)])[0]
        for one in told.items:
            if not one.because:
                continue
            named = str(random.choice(history)) if by_lot else one.because[0].item
            other = str(random.choice([event for event in history if event != named]))
            won.append(
                without(student, history, named, one.item)
                < without(student, history, other, one.item)
            )
    return float(np.mean(won)), len(won)


def test_the_first_reason_costs_more_than_another_event(trained, tiny_dataset) -> None:
    rows = histories(tiny_dataset)
    faithful, cases = share(trained, rows, by_lot=False)
    assert cases >= 80
    assert faithful >= CLAIMED
    # The measure can fail: an event drawn by lot in place of the reason does not reach it.
    assert share(trained, rows, by_lot=True)[0] < 0.7


def test_the_teachers_words_stand_beside_just_its_history(trained) -> None:
    """Of more than the history they are about they say nothing; nor of items that it did not speak of."""
    ids = trained.bundle.vocabulary.ids.to_list()
    told = trained.recommend(
        [RecommendRequest(history=[ids[3], ids[8], ids[13]], k=20, explain=True)]
    )[0]
    for one in told.items:
        dense = ids.index(one.item)
        assert one.said == (f"It follows {dense}." if dense % 2 == 0 else None)
    assert any(one.said for one in told.items)
    for history in ([ids[3], ids[8]], [ids[8], ids[3], ids[13]]):
        other = trained.recommend([RecommendRequest(history=history, k=20, explain=True)])[0]
        assert all(one.said is None for one in other.items)
    plain = trained.recommend([RecommendRequest(history=[ids[3], ids[8], ids[13]], k=20)])[0]
    assert all(one.said is None for one in plain.items)
