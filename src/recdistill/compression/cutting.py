"""A SASRec without the parts that a plan leaves out: the same answers as with these switched off, from less."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from recdistill.compression.importance.contract import blocks_of
from recdistill.compression.plans import BlockPlan, Plan
from recdistill.models.sasrec import SASRec, SASRecNetwork
from recdistill.models.transformer import Block


@torch.no_grad()
def cut(student: SASRec, plan: Plan) -> SASRec:
    """What `plan` leaves of `student`, as a model of its own.

    It says what `student` would say if heads and units that go gave zeros, blocks that go passed on what they
    get, and item vectors were projected onto the axes that stay.
    """
    network = student.network
    shape = plan.shape(student.config.shape.width)
    config = student.config.model_copy(update={"pruned": shape})
    items = copy.deepcopy(network.items) if plan.axes is None else None
    with torch.random.fork_rng(devices=[]):
        made = SASRec(config, student.vocabulary, items)
    made.network.to(network.start).train(network.training)
    made.dataset = student.dataset
    large = blocks_of(student)
    for small, one in zip(blocks_of(made), plan.blocks, strict=True):
        _fill(small, large[one.number], one)
    for name in ("positions", "norm", "outcomes"):
        made.network.get_submodule(name).load_state_dict(network.get_submodule(name).state_dict())
    _turn(made.network, student, plan)
    return made


def shrink(student: SASRec, plan: Plan) -> None:
    """Make `student` what `cut` gives. Its network stays the same object, and its items too where they keep width."""
    made, network = cut(student, plan), student.network
    for name, part in made.network.named_children():
        if name != "items" or plan.axes is not None:
            network.add_module(name, part)
    network.start, student.config = made.network.start, made.config


def _turn(made: SASRecNetwork, student: SASRec, plan: Plan) -> None:
    """Item vectors as their coordinates on the axes that stay, and maps from and to these."""
    network = student.network
    if plan.axes is None:
        for name in ("inward", "outward"):
            made.get_submodule(name).load_state_dict(network.get_submodule(name).state_dict())
        made.start.copy_(network.start)
        return
    axes = plan.axes.to(network.start)
    made.get_parameter("items.vectors").copy_(student.item_table() @ axes)
    # A map may be there already, from an earlier pruning.
    made.get_parameter("inward.weight").copy_(_map(network.inward, axes) @ axes)
    made.get_parameter("outward.weight").copy_(axes.T @ _map(network.outward, axes))
    made.start.copy_(network.start @ axes)


def _map(layer: nn.Module, axes: Tensor) -> Tensor:
    return layer.weight if isinstance(layer, nn.Linear) else torch.eye(len(axes)).to(axes)


def _fill(small: Block, large: Block, plan: BlockPlan) -> None:
    """Copy what stays of a block."""
    for name in ("attention_norm", "feed_norm"):
        small.get_submodule(name).load_state_dict(large.get_submodule(name).state_dict())
    places = _places(plan.heads, large.attention.heads, large.attention.outward.in_features)
    width = large.attention.outward.in_features
    rows = torch.cat([part * width + places for part in range(3)])
    _copy(small.attention.inward, large.attention.inward, rows=rows)
    _copy(small.attention.outward, large.attention.outward, columns=places)
    _copy(small.widen, large.widen, rows=plan.units)
    _copy(small.narrow, large.narrow, columns=plan.units)


def _places(kept: Int64[Tensor, " kept"], heads: int, width: int) -> Int64[Tensor, " places"]:
    """Where the numbers of these heads stand among those of all, which are `width`."""
    depth = width // heads
    return (kept[:, None] * depth + torch.arange(depth, device=kept.device)).flatten()


def _copy(
    small: nn.Linear, large: nn.Linear, rows: Tensor | None = None, columns: Tensor | None = None
) -> None:
    weight, bias = large.weight, large.bias
    if rows is not None:
        weight, bias = weight[rows], bias[rows]
    small.weight.copy_(weight if columns is None else weight[:, columns])
    small.bias.copy_(bias)
