"""Matrix products by the fastest exact routine that this build of torch has."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


def product(
    states: Float[Tensor, "rows width"], table: Float[Tensor, "items width"]
) -> Float[Tensor, "rows items"]:
    """The scores of all rows and items, in float32 arithmetic; gradients do not flow.

    On the CPU oneDNN multiplies, where torch was built with it: on processors whose vendor MKL does not
    favour it is twice as fast as `torch.mm`, and elsewhere not slower. A score is rounded in the same way
    whatever other rows and items are in the product, so that items with equal vectors tie.
    """
    if 1 in (len(states), len(table)):
        # Products with a vector are rounded in another way.
        twice = product(torch.cat([states, states]), torch.cat([table, table]))
        return twice[: len(states), : len(table)]
    onednn = _onednn() if states.device.type == "cpu" and states.dtype == torch.float32 else None
    if onednn is None:
        return torch.mm(states, table.T)
    return onednn(states, table, None, "none", [], "")


def linear(layer: nn.Linear, values: Float[Tensor, "rows inward"]) -> Float[Tensor, "rows outward"]:
    """`layer(values)`, with gradients; by oneDNN in both directions where it serves (see `product`)."""
    plain = values.device.type != "cpu" or values.dtype != torch.float32 or not len(values)
    if plain or torch.is_autocast_enabled("cpu") or _onednn() is None:
        return layer(values)
    return cast(Tensor, _Linear.apply(values, layer.weight, layer.bias))


class _Linear(torch.autograd.Function):
    """`values @ weight.T + bias`, its three gradients by the same routine."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        return _onednn()(values, weight, bias, "none", [], "")

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        values, weight = ctx.saved_tensors
        wanted, (gradient,) = ctx.needs_input_grad, outer
        # Gradients are enabled here only when somebody wants gradients of gradients.
        multiply = _differentiable if torch.is_grad_enabled() else product
        return (
            multiply(gradient, weight.T) if wanted[0] else None,
            multiply(values.T, gradient.T).T if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )


def _differentiable(left: Tensor, right: Tensor) -> Tensor:
    return left @ right.T


def _onednn() -> Any:
    """oneDNN's linear layer, which torch's own compiler calls on CPUs; `None` where it is missing."""
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)
