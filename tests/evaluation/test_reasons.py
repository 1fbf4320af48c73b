"""Contexts with reasons: drawn by lot, one a user, and nothing but what the teacher really recommends."""

from __future__ import annotations

import numpy as np
import pytest
from judges import Scripted

from recdistill.data.reasons import Place, Reasons, context_keys
from recdistill.evaluation.examples import Titles
from recdistill.evaluation.reasons import LISTED, explained
from recdistill.models.popularity import Popularity
from recdistill.models.ranking import top_k
from recdistill.teachers.blending import Blend
from recdistill.teachers.reranked import Reranked, RerankedConfig


class Wordy(Scripted):
    """Gives the place of a candidate as the reason for it, about histories whose latest item is even."""

    def why(self, histories, proposed, item_keys):
        keys = context_keys(histories, self.history, item_keys)
        shown = proposed(np.arange(len(histories)))
        return Reasons.of(
            (Place(keys[row], self.history, item), f"candidate {place}")
            for row in range(len(histories))
            if histories[row][-1] % 2 == 0
            for place, item in enumerate(shown[row].tolist())
        )


@pytest.fixture(scope="module")
def popular(tiny_dataset):
    return Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)


@pytest.fixture(scope="module")
def teacher(popular):
    return Reranked(popular, Wordy(history=50), RerankedConfig(number=6, blend=Blend(judge=3.0)))


def test_they_are_of_different_users_and_of_the_teachers_best(tiny_dataset, teacher, popular):
    valid = tiny_dataset.valid
    found = explained(teacher, popular, tiny_dataset, [valid], filter_seen=True)
    assert len(found) == 4
    titles = Titles(tiny_dataset)
    rows = {titles(valid.histories[row]): row for row in range(len(valid))}
    chosen = [rows[one.history] for one in found]
    assert len({int(valid.users[row]) for row in chosen}) == 4
    for one, row in zip(found, chosen, strict=True):
        history = valid.histories.take(np.array([row]))
        assert history[0][-1] % 2 == 0
        for model, shown in ((teacher, one.teacher), (popular, one.student)):
            items = top_k(model, history, LISTED, seen=history)[1][0].numpy().astype(np.int32)
            assert shown == titles(items)
        candidates = titles(teacher.proposed(history)[0].numpy().astype(np.int32))
        assert one.why == tuple(
            (title, f"candidate {candidates.index(title)}")
            for title in one.teacher
            if title in candidates
        )


def test_the_lot_is_the_seeds_and_the_next_source_only_where_one_is_not_enough(
    tiny_dataset, teacher, popular
):
    def draw(sources, **settings):
        return explained(teacher, popular, tiny_dataset, sources, filter_seen=True, **settings)

    valid = tiny_dataset.valid
    assert draw([valid]) == draw([valid]) != draw([valid], seed=1)

    def never():
        yield valid
        pytest.fail("there was enough in the first")

    assert draw(never()) == draw([valid])
    latest = np.array([valid.histories[row][-1] for row in range(len(valid))])
    odd, even = (valid.take(np.flatnonzero(latest % 2 == rest)[:40]) for rest in (1, 0))
    assert draw([odd]) == ()
    assert draw([odd, even], count=2) == draw([even], count=2)
    assert len(draw([even], count=2)) == 2


def test_who_gives_no_reasons_shows_none(tiny_dataset, popular):
    assert explained(popular, popular, tiny_dataset, [tiny_dataset.valid], filter_seen=True) == ()
    silent = Reranked(popular, Wordy(), RerankedConfig(number=6, blend=Blend(judge=0.0)))
    assert explained(silent, popular, tiny_dataset, [tiny_dataset.valid], filter_seen=True) == ()
