"""The int8 product: ONNX Runtime's MatMulInteger, the fastest there is here without a compiler."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from jaxtyping import Int8, Int32, Int64

from recdistill.bundle.onnx_writer import model
from recdistill.bundle.session import session

_ZERO: Final = 128
"""Processors multiply unsigned by signed bytes: states are sent this much higher, and the kernel takes it off again."""


class IntegerProduct:
    """Whole states times a whole table, in int32: exact for any width below 130,000."""

    def __init__(self, table: Int8[np.ndarray, "places width"], threads: int = 1) -> None:
        """`table` is packed by the runtime, once; `threads` compute one product.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
        """
        self._session: Any = session(
            model(
                "MatMulInteger",
                inputs={"states": (np.uint8, ("rows", table.shape[1]))},
                constants={
                    "table": np.ascontiguousarray(table.T),
                    "zero": np.array(_ZERO, np.uint8),
                },
                output=("products", np.int32, ("rows", table.shape[0])),
            ),
            threads,
        )

    def __call__(self, states: Int64[np.ndarray, "rows width"]) -> Int32[np.ndarray, "rows places"]:
        """`states` from -127 to 127."""
        fed = {"states": (states + _ZERO).astype(np.uint8)}
        return self._session.run(None, fed)[0]
