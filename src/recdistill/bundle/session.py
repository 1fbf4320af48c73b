"""A session of ONNX Runtime: how every model of a bundle is run."""

from __future__ import annotations

from typing import Any

from recdistill.errors import BundleError, MissingExtraError


def session(model: bytes, threads: int = 1) -> Any:
    """Open a model on the processor. With one thread it has no pool, and so survives a fork.

    Raises:
        BundleError: the runtime refuses the model.
        MissingExtraError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("Running a bundle", "serve") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # The runtime has an exception class a status code, all of them direct children of Exception.
        raise BundleError(f"ONNX Runtime refuses the model: {error}") from None
