"""What a model costs: to keep, to ask, and what it cost to listen to the teacher."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from recdistill.data.dataset import Cases
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.signals.manifest import SignalManifest

_WARM_UP = 20


@runtime_checkable
class CountsFlops(Protocol):
    """A model that knows its own work better than counting its matrix products would."""

    def flops(self, history: int) -> int:
        """Floating-point operations to encode a history of that many items."""
        ...


@dataclass(frozen=True)
class Cost:
    """What one model costs.

    Attributes:
        parameters: numbers it must keep to answer (weights and tables).
        bytes: the size of those.
        flops: floating-point operations of one request: encode the history, score every item.
        latency_p50: seconds to encode one history, on one thread, warmed up; half are faster.
        latency_p99: 99 of 100 are faster.
        history: the length of history that `flops` counts: the median of the test.
        device: where it was measured.
    """

    parameters: int
    bytes: int
    flops: int | None
    latency_p50: float | None
    latency_p99: float | None
    history: int
    device: str

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def cost_of(model: Recommender, cases: Cases, requests: int) -> Cost:
    """Measure a model on histories of the test.

    Args:
        model: the model.
        cases: where histories come from.
        requests: how many single histories are timed; 0 times none.
    """
    tensors = list(model.network.state_dict().values())
    typical = cases.take(np.array([_median_case(cases)])).histories
    p50, p99 = latency(model, cases, requests) if requests else (None, None)
    return Cost(
        parameters=sum(_numbers(tensor) for tensor in tensors),
        bytes=sum(_bytes(tensor) for tensor in tensors),
        flops=flops(model, typical),
        latency_p50=p50,
        latency_p99=p99,
        history=int(typical.lengths[0]),
        device=str(model.item_table().device),
    )


@torch.no_grad()
def flops(model: Recommender, history: Sequences) -> int:
    """Operations of one request, a multiplication and an addition counting two.

    Encoding is what the model says (`CountsFlops`), or what its matrix products and attentions
    come to; scoring is a product with every row of the item table, or what `score` comes to.
    """
    # Two requests, halved: a single row is doubled by `models.products.product` for the sake of ties.
    twice = Sequences.from_lists([history[0].tolist()] * 2)
    with FlopCounterMode(display=False, custom_mapping=_on_processors()) as counter:
        states = model.states(twice)
        encoding = counter.get_total_flops()
        model.score(states)
        scoring = counter.get_total_flops() - encoding
    if isinstance(model, CountsFlops):
        return model.flops(int(history.lengths[0])) + scoring // 2
    return (encoding + scoring) // 2


def _on_processors() -> dict[Any, Callable[..., int]]:
    """What a processor computes in one go, and torch's counter does not know: attention, and oneDNN's linear layer."""

    def attention(
        query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any
    ) -> int:
        return sdpa_flop_count(query, key, value)

    def linear(values: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
        return 2 * math.prod(values) * weight[0]

    known = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    onednn = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return known if onednn is None else {**known, onednn: linear}


@torch.no_grad()
def latency(model: Recommender, cases: Cases, requests: int, seed: int = 0) -> tuple[float, float]:
    """Median and 99th percentile of the seconds to encode one test history, on one thread."""
    rows = np.random.default_rng(seed).integers(0, len(cases), _WARM_UP + requests)
    seconds: list[float] = []
    with _one_thread():
        for row in rows:
            history = cases.histories.take(np.array([row]))
            started = time.perf_counter()
            model.states(history).cpu()
            seconds.append(time.perf_counter() - started)
    p50, p99 = np.quantile(seconds[_WARM_UP:], [0.5, 0.99])
    return float(p50), float(p99)


def labelling(
    manifests: Iterable[SignalManifest], price_per_hour: float | None = None
) -> dict[str, Any]:
    """What the stored signals of a teacher cost.

    Args:
        manifests: of all kinds of signals.
        price_per_hour: of the machine that labelled, in any currency; without it no cost is named.
    """
    kinds = list(manifests)
    seconds = sum(manifest.seconds for manifest in kinds)
    return {
        "seconds": seconds,
        "contexts": max((manifest.rows for manifest in kinds), default=0),
        "bytes": sum(shard.bytes for manifest in kinds for shard in manifest.shards),
        "cost": None if price_per_hour is None else seconds / 3600.0 * price_per_hour,
        "silent": max((manifest.silent.total() for manifest in kinds), default=0),
    }


def _median_case(cases: Cases) -> int:
    lengths = cases.histories.lengths
    return int(np.argsort(lengths, kind="stable")[len(lengths) // 2])


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    """The dense tensors that a tensor keeps."""
    if tensor.layout == torch.sparse_csr:
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.is_sparse:
        yield from (tensor.coalesce().indices(), tensor.coalesce().values())
    else:
        yield tensor


def _numbers(tensor: Tensor) -> int:
    return sum(part.numel() for part in _parts(tensor))


def _bytes(tensor: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in _parts(tensor))


@contextmanager
def _one_thread() -> Generator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
