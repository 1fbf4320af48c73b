"""From an encoder of histories to the bytes of a single ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import UserError
from torch.export import Dim

from recdistill.bundle.runtime import INPUTS, OUTPUTS
from recdistill.errors import BundleError, MissingExtraError

OPSET = 18


def to_onnx(encoder: nn.Module, width: int) -> bytes:
    """`encoder(vectors [rows, places, width], lengths [rows]) -> [rows, width]` as one reproducible ONNX file.

    Raises:
        BundleError: the student computes for one number of rows or places only.
        MissingExtraError: the ONNX packages are not installed.
    """
    try:
        import onnx

        import_module("onnxscript")  # the exporter needs it, and says so less clearly
    except ImportError:
        raise MissingExtraError("Exporting a bundle", "export") from None
    model = _exported(encoder, width)
    _without_origin(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _exported(encoder: nn.Module, width: int) -> Any:
    example = (torch.ones(2, 3, width), torch.tensor([3, 2]))
    rows = Dim("rows")
    shapes = ({0: rows, 1: Dim("places")}, {0: rows})
    # Traced on its own: inside torch.onnx.export a shape that cannot stay free would silently be fixed.
    try:
        traced = torch.export.export(encoder.eval(), example, dynamic_shapes=shapes, strict=False)
    except UserError as error:
        raise BundleError(
            "The student's layers only compute with as many rows and places as they were traced with, so they cannot "
            f"leave: {str(error).splitlines()[0]}",
            "Layers of Llama, Qwen and GPT-2 are known to leave.",
        ) from error
    with _exporter_quiet():
        program = torch.onnx.export(
            traced,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _exporter_quiet() -> Generator[None]:
    """Without what PyTorch's exporter says of PyTorch: a deprecation of its own, and that torchvision is absent."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = registry.level
    registry.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            yield
    finally:
        registry.setLevel(before)


def _without_origin(model: Any) -> None:
    """Drop what tells where the model was exported (paths, stack traces), which would differ each time."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in [
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
    ]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.producer_name, model.producer_version = "recdistill", ""
