"""A bundle among models: it ranks as the student does, and in fewer bits as the bundle itself answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.bundle.export import export
from recdistill.bundle.judged import Judged
from recdistill.bundle.timing import latencies
from recdistill.errors import ConfigError
from recdistill.evaluation.ranker import RankingOptions, rank_cases


@pytest.fixture(scope="module")
def narrow(student, tiny_dataset, tmp_path_factory):
    return export(student, tiny_dataset, tmp_path_factory.mktemp("narrow") / "b", precision="int8")


def test_it_ranks_as_the_student(student, bundle, tiny_dataset):
    cases = tiny_dataset.valid
    theirs, ours = (
        rank_cases(model, cases, RankingOptions()) for model in (student, Judged(bundle))
    )
    np.testing.assert_array_equal(theirs.ranks.ranks, ours.ranks.ranks)
    np.testing.assert_array_equal(theirs.top, ours.top)


def test_in_fewer_bits_it_ranks_as_the_bundle_answers(narrow, tiny_dataset):
    cases = tiny_dataset.valid
    found = rank_cases(Judged(narrow), cases, RankingOptions(depth=5))
    np.testing.assert_array_equal(found.top, narrow.top(cases.histories, 5)[0])


def test_it_knows_its_window_and_does_not_learn(student, bundle, tiny_dataset):
    judged = Judged(bundle)
    assert judged.window == student.history
    torch.testing.assert_close(judged.item_table(), student.item_table())
    with pytest.raises(ConfigError, match="cannot be trained"):
        judged.fit(tiny_dataset)


def test_times_are_of_every_bundle_and_in_order(bundle, narrow, tiny_dataset):
    both = {"wide": bundle.runtime, "narrow": narrow.runtime}
    took = latencies(both, tiny_dataset.valid.histories, 30)
    assert set(took) == {"wide", "narrow"}
    assert all(0 < p50 <= p99 < 1 for p50, p99 in took.values())
