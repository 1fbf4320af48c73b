"""Costs against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from evaluation_models import FixedModel, random_cases, random_model
from torch import nn

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.evaluation.cost import cost_of, flops, labelling, latency
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.signals.kinds import HardLabel
from recdistill.signals.manifest import DatasetIdentity, Shard, SignalManifest, TeacherIdentity


class Layered(FixedModel):
    """A state that two layers make of the mean of the history's vectors."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__(torch.zeros(1, width), torch.randn(items, width))
        self.network = nn.Sequential(
            nn.Linear(width, 16, bias=False), nn.Linear(16, width, bias=False)
        )

    def states(self, histories: Sequences) -> torch.Tensor:
        means = torch.stack(
            [
                self.table[torch.from_numpy(histories[row].astype(np.int64))].sum(0)
                for row in range(len(histories))
            ]
        )
        return self.network(means)


def test_flops_are_two_a_multiplication() -> None:
    items, width = 50, 8
    history = Sequences.from_lists([[1, 2, 3]])
    assert (
        flops(Layered(items, width), history) == 2 * (width * 16 + 16 * width) + 2 * items * width
    )


@pytest.mark.parametrize(("length", "blocks"), [(1, 1), (5, 2), (12, 3)])
def test_a_transformer_is_counted_whole(length: int, blocks: int) -> None:
    items, width = 40, 16
    config = SASRecConfig(width=width, blocks=blocks, heads=2, history=12)
    model = SASRec(config, Vocabulary(pl.Series(range(items))))
    history = Sequences.from_lists([list(range(length))])
    each = 4 * width * width + 2 * width * 4 * width
    expected = blocks * (2 * length * each + 4 * length * length * width) + 2 * items * width
    assert flops(model, history) == expected


def test_a_model_may_count_its_own_encoding() -> None:
    class Counting(Layered):
        def flops(self, history: int) -> int:
            return 1000 * history

    found = flops(Counting(50, 8), Sequences.from_lists([[1, 2, 3]]))
    assert found == 3000 + 2 * 50 * 8


def test_parameters_and_bytes_are_those_of_the_tensors() -> None:
    found = cost_of(Layered(50, 8), random_cases(30, 50), requests=0)
    assert found.parameters == 2 * 8 * 16
    assert found.bytes == 4 * found.parameters
    assert found.latency_p50 is None
    assert found.device == "cpu"
    assert found.facts()["history"] == found.history


def test_the_history_that_is_counted_is_the_median() -> None:
    cases = random_cases(31, 50)
    assert cost_of(Layered(50, 8), cases, 0).history == np.median(cases.histories.lengths)


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_sparse_tables_count_what_they_keep(layout: str) -> None:
    model = random_model(20)
    dense = torch.zeros(20, 20)
    dense[3, 4], dense[5, 6] = 1.0, 2.0
    sparse = dense.to_sparse_coo() if layout == "coo" else _csr(dense)
    model.network = nn.Module()
    model.network.register_buffer("table", sparse)
    found = cost_of(model, random_cases(5, 20), 0)
    numbers = {"coo": (2 * 2 + 2, 2 * 2 * 8 + 2 * 4), "csr": (21 + 2 + 2, 21 * 8 + 2 * 8 + 2 * 4)}
    assert (found.parameters, found.bytes) == numbers[layout]


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def _csr(dense: torch.Tensor) -> torch.Tensor:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dense.to_sparse_csr()


def test_latency_is_measured_on_one_thread_and_puts_the_threads_back() -> None:
    seen: list[int] = []

    class Watching(FixedModel):
        def states(self, histories: Sequences) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return super().states(histories)

    before = torch.get_num_threads()
    p50, p99 = latency(random_model(20, kind=Watching), random_cases(10, 20), 30)
    assert 0 < p50 <= p99 < 1
    assert set(seen) == {1}
    assert len(seen) == 50
    assert torch.get_num_threads() == before


def test_labelling_adds_up_the_kinds() -> None:
    manifests = [
        SignalManifest(
            kind=HardLabel(),
            teacher=TeacherIdentity(kind="x", name="x", revision="1", settings={}),
            dataset=DatasetIdentity(name="d", fingerprint="f"),
            fields=(),
            shards=(Shard(file="a", rows=rows, bytes=rows * 8, sha256="0"),),
            seconds=seconds,
        )
        for rows, seconds in ((100, 30.0), (100, 6.0))
    ]
    facts = {"seconds": 36.0, "contexts": 100, "bytes": 1600, "cost": None, "silent": 0}
    assert labelling(manifests) == facts
    assert labelling(manifests, price_per_hour=2.0)["cost"] == pytest.approx(0.02)
    assert labelling([])["contexts"] == 0
