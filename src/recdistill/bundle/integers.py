"""The products of an exported model in whole numbers, by ONNX Runtime's quantiser."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from recdistill.bundle.runtime import padded
from recdistill.bundle.table import Table
from recdistill.compression.settings import Integers
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError, MissingExtraError

_ROWS: Final = 32
_KINDS: Final = ("MatMul", "Gemm")
_INTEGER: Final = {"MatMulInteger", "QuantizeLinear"}


def in_integers(model: bytes, wanted: Integers, table: Table, histories: Sequences) -> bytes:
    """The model with every product by a learned matrix in 8 bits; attention and norms stay in float32.

    Weights get 7 of the 8 bits: processors without instructions for whole numbers add products of all 8 up in
    16, where two may be too large.

    Args:
        model: history vectors -> states, in float32.
        wanted: how.
        table: of the items, which histories are made of.
        histories: of the training, to see ranges by; no longer than the model looks.

    Raises:
        BundleError: there is nothing to see ranges by, or nothing to put into whole numbers.
        MissingExtraError: the ONNX packages are not installed.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError:
        raise MissingExtraError("Exporting a bundle", "export") from None
    shown: Any = _Shown(batches(histories, table, wanted.calibration))
    with tempfile.TemporaryDirectory(prefix="recdistill-") as folder, _quiet():
        path = Path(folder) / "model.onnx"
        proto, how = onnx.load_from_string(model), _settings(quantization, wanted)
        if wanted.kind == "dynamic":
            quantization.quantize_dynamic(proto, path, **how)
        elif not len(histories):
            raise BundleError("There is no training history that would show a student's ranges.")
        else:
            quantization.quantize_static(
                proto, path, shown, activation_type=how["weight_type"], **how
            )
        made = onnx.load(path)
    if not any(node.op_type in _INTEGER for node in made.graph.node):
        raise BundleError(
            "The student has no product by a learned matrix that could be in whole numbers.",
            "Leave out `encoder`.",
        )
    return _plain(made)


def _settings(quantization: Any, wanted: Integers) -> dict[str, Any]:
    """What both of the quantiser's functions are told."""
    kinds = quantization.QuantType
    return {
        "op_types_to_quantize": list(_KINDS),
        "per_channel": wanted.each == "channel",
        "reduce_range": True,
        "weight_type": kinds.QInt8 if wanted.symmetric else kinds.QUInt8,
        "extra_options": {
            "MatMulConstBOnly": True,
            "WeightSymmetric": wanted.symmetric,
            "ActivationSymmetric": wanted.symmetric,
        },
    }


class _Shown:
    """Batches one after another, as the quantiser asks for them."""

    def __init__(self, inputs: Iterator[dict[str, np.ndarray]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one; `None` at the end."""
        return next(self._inputs, None)


def batches(
    histories: Sequences, table: Table, number: int, seed: int = 0
) -> Iterator[dict[str, np.ndarray]]:
    """About `number` histories as inputs of a model, of all lengths alike, a few of equal length at a time.

    A whole batch is of one length: what stands after a row's end would show ranges that no answer depends on.
    """
    random = np.random.default_rng(seed)
    lengths = histories.lengths
    known = np.flatnonzero(lengths > 0)
    chosen = random.permutation(known)[:number]
    for length in np.unique(lengths[chosen]):
        rows = chosen[lengths[chosen] == length]
        for first in range(0, len(rows), _ROWS):
            yield padded(histories.take(rows[first : first + _ROWS]), table)


def _plain(model: Any) -> bytes:
    """The file without what tells of its making."""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.ClearField("doc_string")
    model.producer_name, model.producer_version = "recdistill", ""
    return model.SerializeToString(deterministic=True)


@contextmanager
def _quiet() -> Generator[None]:
    """Without the quantiser's advice to optimise the model first: it was traced from what is optimised already."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
