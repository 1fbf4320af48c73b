"""A pruned network against the whole one with the same parts switched off, and criteria against their definitions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from prunable import HEADS, INNER, ITEMS, WIDTH, batches, loss_of, model, some_plan

from recdistill.compression.cutting import cut, shrink
from recdistill.compression.importance import Evidence, activations, magnitude, taylor
from recdistill.compression.importance.contract import singular
from recdistill.compression.plans import BlockPlan, Plan, plan
from recdistill.data.sequences import Sequences
from recdistill.models.sasrec import BlockShape, SASRec, Shape

EXACT = {"rtol": 0.0, "atol": 1e-12}


@torch.no_grad()
def masked(student: SASRec, plan: Plan) -> SASRec:
    """The same network with zeros where the plan keeps nothing: written weight by weight."""
    whole = copy.deepcopy(student)
    kept = {one.number: one for one in plan.blocks}
    depth = WIDTH // HEADS
    for number, block in enumerate(whole.network.blocks):
        if number not in kept:
            for layer in (block.attention.outward, block.narrow):
                layer.weight.zero_()
                layer.bias.zero_()
            continue
        for head in set(range(HEADS)) - set(kept[number].heads.tolist()):
            block.attention.outward.weight[:, head * depth : (head + 1) * depth] = 0
        for unit in set(range(INNER)) - set(kept[number].units.tolist()):
            block.narrow.weight[:, unit] = 0
    if plan.axes is not None:
        vectors = whole.network.items.vectors
        vectors.copy_(vectors @ plan.axes @ plan.axes.T)
    return whole


def scores(of: SASRec, rows=((3, 1, 4, 1, 5), (9,), (), (2, 6, 5))) -> torch.Tensor:
    return of.score(of.states(Sequences.from_lists([list(row) for row in rows])))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("width", [None, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_left_says_what_the_whole_says_with_the_rest_switched_off(positions, width, seed):
    student = model(seed, positions=positions)
    axes = None if width is None else singular(student.item_table())[1][:, :width]
    kept = some_plan(seed, axes)
    small = cut(student, kept)
    torch.testing.assert_close(scores(small), scores(masked(student, kept)), **EXACT)
    assert (scores(small) - scores(student)).abs().max() > 1e-3
    assert small.item_table().shape == (ITEMS, width or WIDTH)
    assert small.config.shape.blocks[0] == BlockShape(heads=2, inner=5)


def test_pruned_twice_is_pruned_further():
    """An item space turned twice: the second cut works on the coordinates that the first left."""
    student = model()
    first = cut(student, some_plan(0, singular(student.item_table())[1][:, :5]))
    axes = singular(first.item_table())[1][:, :2]
    everything = [torch.arange(one.heads) for one in first.config.shape.blocks]
    units = [torch.arange(one.inner) for one in first.config.shape.blocks]
    blocks = tuple(
        BlockPlan(n, h, u) for n, (h, u) in enumerate(zip(everything, units, strict=True))
    )
    second = cut(first, Plan(blocks, axes))
    projected = copy.deepcopy(first)
    with torch.no_grad():
        vectors = projected.network.items.vectors
        vectors.copy_(vectors @ axes @ axes.T)
    torch.testing.assert_close(scores(second), scores(projected), **EXACT)


def test_shrinking_keeps_the_network_and_what_is_not_cut_of_it(tmp_path):
    student, kept = model(), some_plan()
    wanted = scores(cut(student, kept))
    network, items = student.network, student.network.items
    shrink(student, kept)
    assert student.network is network
    assert student.network.items is items
    torch.testing.assert_close(scores(student), wanted, **EXACT)
    student.network.float()
    student.save(tmp_path / "model")
    loaded = SASRec.load(tmp_path / "model")
    assert loaded.get_config() == student.get_config()
    torch.testing.assert_close(scores(loaded), scores(student), rtol=0, atol=0)


def test_a_plan_keeps_the_best_and_of_equals_the_first():
    student = model()
    found = magnitude(student)
    found.heads[1][:] = torch.tensor([1.0, 2.0, 2.0, 2.0])
    found.blocks[:] = torch.tensor([0.0, 2.0, 1.0])
    shape = Shape(width=WIDTH, blocks=(BlockShape(heads=2, inner=3),) * 2)
    kept = plan(found, shape)
    assert [one.number for one in kept.blocks] == [1, 2]
    assert kept.blocks[0].heads.tolist() == [1, 2]
    best = sorted(range(INNER), key=lambda unit: -found.units[1][unit])[:3]
    assert kept.blocks[0].units.tolist() == sorted(best)
    assert kept.axes is None
    assert kept.shape(WIDTH) == shape


def test_singular_values_against_numpy():
    table = model().item_table().detach()
    values, axes = singular(table)
    _, theirs, right = np.linalg.svd(table.numpy())
    np.testing.assert_allclose(values.numpy(), theirs, rtol=1e-9)
    alike = np.abs(np.sum(axes.numpy() * right.T, axis=0))
    np.testing.assert_allclose(alike, 1.0, rtol=1e-9)


@torch.no_grad()
def test_magnitude_is_the_norm_of_what_goes_with_a_part():
    """Counted entry by entry: what changes nothing, once the part is switched off, belongs to the part alone."""
    student = model()
    found, block, depth = magnitude(student), student.network.blocks[1], WIDTH // HEADS
    attention = block.attention
    for head in range(HEADS):
        total = 0.0
        for part in range(3):
            for row in range(part * WIDTH + head * depth, part * WIDTH + (head + 1) * depth):
                total += float(
                    attention.inward.weight[row].square().sum() + attention.inward.bias[row] ** 2
                )
        for column in range(head * depth, (head + 1) * depth):
            total += float(attention.outward.weight[:, column].square().sum())
        assert found.heads[1][head].item() == pytest.approx(total**0.5)
    unit = block.widen.weight[4].square().sum() + block.widen.bias[4] ** 2
    unit = (unit + block.narrow.weight[:, 4].square().sum()).sqrt()
    assert found.units[1][4].item() == pytest.approx(unit.item())
    whole = sum(one.square().sum() for one in block.parameters()).sqrt()
    assert found.blocks[1].item() == pytest.approx(whole.item())


@torch.no_grad()
def gated(student: SASRec, part: str, number: int, which: int, gate: float) -> SASRec:
    """The student with a gate on one part, applied to what the part gives."""
    made = copy.deepcopy(student)
    if part == "directions":
        axis = singular(student.item_table())[1][:, which : which + 1]
        made.network.items.vectors += (gate - 1) * made.network.items.vectors @ axis @ axis.T
        return made
    block, depth = made.network.blocks[number], WIDTH // HEADS
    if part == "heads":
        block.attention.outward.weight[:, which * depth : (which + 1) * depth] *= gate
    elif part == "units":
        block.narrow.weight[:, which] *= gate
    else:
        for layer in (block.attention.outward, block.narrow):
            layer.weight *= gate
            layer.bias *= gate
    return made


@pytest.mark.parametrize(
    ("part", "number", "which"),
    [("heads", 0, 2), ("heads", 2, 0), ("units", 1, 7), ("blocks", 1, 0), ("directions", 0, 3)],
)
def test_taylor_is_the_squared_slope_of_the_loss_along_a_gate(part, number, which):
    student, step = model(), 1e-5
    found = taylor(student, Evidence(batches(), loss_of(student)))
    slopes = []
    for batch in batches():
        sides = [
            loss_of(gated(student, part, number, which, 1 + way * step))(batch) for way in (1, -1)
        ]
        slopes.append((sides[0] - sides[1]).item() / (2 * step))
    wanted = np.mean(np.square(slopes))
    table = getattr(found, part)
    measured = (
        table[number]
        if part == "blocks"
        else table[which]
        if part == "directions"
        else table[number][which]
    )
    assert wanted > 1e-9
    assert measured.item() == pytest.approx(wanted, rel=1e-5)


def test_measuring_leaves_no_trace():
    student = model()
    student.network.train()
    before = student.network.items.vectors.grad = torch.ones_like(student.network.items.vectors)
    for criterion in (taylor, activations):
        criterion(student, Evidence(batches(), loss_of(student)))
    assert student.network.training
    assert student.network.items.vectors.grad is before
    assert student.network.norm.weight.grad is None


@pytest.mark.parametrize(("part", "which"), [("heads", 1), ("units", 6)])
@torch.no_grad()
def test_activations_are_what_a_part_adds(part, which):
    """In the last block what a part adds is what the output before the last norm loses without it: measured there."""
    student = model()
    student.network.norm = torch.nn.Identity()
    found = activations(student, Evidence(batches(), loss_of(student)))
    block = student.network.blocks[2]
    if part == "heads":
        block.narrow.weight.zero_()  # else what a head adds comes out of the feed-forward net again
    total, count = 0.0, 0
    for batch in batches():
        without = gated(student, part, 2, which, 0.0).encode(batch)
        total += float((student.encode(batch) - without).square().sum())
        count += len(batch)
    assert getattr(found, part)[2][which].item() == pytest.approx(total / count, rel=1e-9)


@torch.no_grad()
def test_activations_of_directions_are_what_they_add_to_scores():
    """Summed over the catalogue, on average over positions."""
    student = model()
    found = activations(student, Evidence(batches(), loss_of(student)))
    axes = found.axes
    table, total, count = student.item_table(), 0.0, 0
    for batch in batches():
        states = student.encode(batch)
        total += float(((states @ axes[:, 2:3]) @ (axes[:, 2:3].T @ table.T)).square().sum())
        count += len(batch)
    assert found.directions[2].item() == pytest.approx(total / count, rel=1e-9)


def test_a_block_that_passes_on_what_it_gets_matters_least():
    student = model()
    with torch.no_grad():
        for layer in (
            student.network.blocks[1].attention.outward,
            student.network.blocks[1].narrow,
        ):
            layer.weight.zero_()
            layer.bias.zero_()
    for criterion in (taylor, activations):
        blocks = criterion(student, Evidence(batches(), loss_of(student))).blocks
        assert blocks.argmin() == 1
        assert blocks[1].item() == pytest.approx(0.0, abs=1e-12)
