"""The chunked loss against plain autograd over the whole matrix of logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from recdistill.models._chunks import RawChunk
from recdistill.models._exp_chunk import ExpChunk, moderate
from recdistill.models.logits import Logits, chunked


class Case:
    """Random states, table, targets, lists and weights in float64."""

    def __init__(self, positions: int, items: int, scale: float, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        self.states = scale * torch.randn(positions, 6, generator=random, dtype=torch.float64)
        self.table = torch.randn(items, 6, generator=random, dtype=torch.float64)
        self.weights = torch.rand(positions, generator=random, dtype=torch.float64)
        self.targets = torch.randint(items, (positions,), generator=random)
        self.lists = torch.randint(items, (positions, 5), generator=random)
        self.shared = torch.randint(items, (3,), generator=random)
        for tensor in (self.states, self.table, self.weights):
            tensor.requires_grad_()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.states, self.table, self.weights


Term = Callable[[Case, Logits, slice], Tensor]


def weighted_cross_entropy(case: Case, logits: Logits, part: slice) -> Tensor:
    right = logits.at(case.targets[part][:, None])[:, 0]
    return ((logits.log_normaliser() - right) * case.weights[part]).sum()


def lists_twice(case: Case, logits: Logits, part: slice) -> Tensor:
    chosen = logits.at(case.lists[part])
    return (chosen.softmax(1) * logits.at(case.lists[part]).sin()).sum()


def of_shared(case: Case, logits: Logits, part: slice) -> Tensor:
    return logits.of(case.shared).square().sum()


def warm(case: Case, logits: Logits, part: slice) -> Tensor:
    return (logits.log_normaliser(2.0).square() + logits.log_normaliser(0.7)).sum()


def whole(case: Case, logits: Logits, part: slice) -> Tensor:
    return logits.full().tanh().sum()


TERMS: dict[str, Term] = {
    term.__name__: term for term in (weighted_cross_entropy, lists_twice, of_shared, warm, whole)
}


class Plain:
    """The reference: logits as one matrix, everything by autograd."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    def at(self, items: Tensor) -> Tensor:
        return self.logits.gather(1, items)

    def of(self, items: Tensor) -> Tensor:
        return self.logits[:, items]

    def log_normaliser(self, temperature: float = 1.0) -> Tensor:
        return torch.logsumexp(self.logits / temperature, 1)

    def full(self) -> Tensor:
        return self.logits


def reference(case: Case, names: list[str]) -> Tensor:
    plain = Plain(case.states @ case.table.T)
    everything = slice(0, len(case.states))
    return sum(TERMS[name](case, plain, everything) for name in names)  # type: ignore[return-value]


def ours(case: Case, names: list[str], rows: int = 7, **options: bool) -> tuple[Tensor, Tensor]:
    def loss(logits: Logits, part: slice) -> Tensor:
        return torch.stack([TERMS[name](case, logits, part) for name in names])

    cells = rows * len(case.table) * case.states.element_size()
    return chunked(case.states, case.table, loss, [case.weights], chunk_bytes=cells, **options)


def assert_same(case: Case, names: list[str], **options: bool) -> None:
    total, terms = ours(case, names, **options)
    expected = reference(case, names)
    torch.testing.assert_close(total, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(terms.sum(), expected.detach(), rtol=1e-9, atol=1e-9)
    # One term may leave an input alone: it then has no gradient at all.
    found = torch.autograd.grad(total, case.inputs, allow_unused=True, materialize_grads=True)
    wanted = torch.autograd.grad(expected, case.inputs, allow_unused=True, materialize_grads=True)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("scale", [0.5, 20.0], ids=["exponentials", "raw"])
@pytest.mark.parametrize("items", [30, 512, 1100])
@pytest.mark.parametrize("name", TERMS)
def test_each_request_alone(name: str, items: int, scale: float) -> None:
    assert_same(Case(23, items, scale), [name])


@pytest.mark.parametrize("scale", [0.5, 20.0])
def test_all_requests_together(scale: float) -> None:
    assert_same(Case(23, 600, scale), list(TERMS))


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 20),
    items=st.integers(1, 40),
    rows=st.integers(1, 25),
    seed=st.integers(0, 99),
    names=st.lists(st.sampled_from(list(TERMS)), min_size=1, max_size=3),
)
def test_any_shape(positions: int, items: int, rows: int, seed: int, names: list[str]) -> None:
    case = Case(positions, items, 1.0, seed)
    total, _ = ours(case, names, rows)
    torch.testing.assert_close(total, reference(case, names), rtol=1e-9, atol=1e-9)


def noted(kinds: set[type], case: Case, logits: Logits, part: slice) -> Tensor:
    kinds.add(type(logits))
    return logits.at(case.lists[part]).sum()[None]


def test_both_kinds_of_chunk_are_reached() -> None:
    small, large = Case(4, 9, 0.5), Case(4, 9, 20.0)
    assert moderate(small.states, small.table)
    assert not moderate(large.states, large.table)
    kinds: set[type] = set()
    for case in (small, large):
        chunked(case.states, case.table, partial(noted, kinds, case))
    assert kinds == {ExpChunk, RawChunk}


@pytest.mark.parametrize("scale", [0.4, 20.0])
def test_finite_differences(scale: float) -> None:
    case = Case(5, 11, scale)

    def total(states: Tensor, table: Tensor, weights: Tensor) -> Tensor:
        case.states, case.table, case.weights = states, table, weights
        return ours(case, ["weighted_cross_entropy", "lists_twice", "warm"], rows=2)[0]

    assert torch.autograd.gradcheck(total, case.inputs)


@pytest.mark.parametrize("weight", [0.0, 1e-12])
def test_rows_without_weight_still_teach_by_other_terms(weight: float) -> None:
    case = Case(9, 40, 0.5)
    with torch.no_grad():
        case.weights[2:5] = weight
    assert_same(case, ["weighted_cross_entropy", "lists_twice"])


def test_cross_entropy_in_float32_as_torch_has_it() -> None:
    random = torch.Generator().manual_seed(3)
    states = torch.randn(300, 64, generator=random).requires_grad_()
    table = (0.3 * torch.randn(2000, 64, generator=random)).requires_grad_()
    targets = torch.randint(2000, (300,), generator=random)

    def loss(logits: Logits, part: slice) -> Tensor:
        return (logits.log_normaliser() - logits.at(targets[part][:, None])[:, 0]).sum()[None] / 300

    total, _ = chunked(states, table, loss, chunk_bytes=1 << 19)
    expected = F.cross_entropy(states @ table.T, targets)
    assert abs(float(total.detach() - expected.detach())) < 1e-6
    found = torch.autograd.grad(total, (states, table))
    wanted = torch.autograd.grad(expected, (states, table))
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).abs().max()) < 1e-6 * max(1.0, float(other.abs().max()))


def test_moderate_logits_up_to_the_bound_keep_their_precision() -> None:
    """Logits near ±55: exponentials span 48 decimal orders, and `log` still gives them back."""
    table = torch.linspace(-1, 1, 700)[:, None].clone()
    states = torch.tensor([[55.0], [-55.0], [1.0]])
    assert moderate(states, table)
    seen: list[Tensor] = []

    def loss(logits: Logits, part: slice) -> Tensor:
        seen.extend((logits.full().detach(), logits.log_normaliser().detach()))
        return logits.log_normaliser().sum()[None]

    chunked(states, table, loss)
    exact = states.double() @ table.double().T
    torch.testing.assert_close(seen[0].double(), exact, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(seen[1].double(), exact.logsumexp(1), rtol=1e-6, atol=1e-5)


def test_huge_logits_neither_overflow_nor_vanish() -> None:
    case = Case(6, 20, 500.0)
    assert_same(case, ["weighted_cross_entropy"])


def test_picked_logits_need_no_dense_work() -> None:
    case = Case(8, 25, 0.7)
    assert_same(case, list(TERMS), dense=False)


def test_no_gradients_wanted() -> None:
    case = Case(8, 25, 0.7)
    with torch.no_grad():
        total, _ = ours(case, list(TERMS))
    assert not total.requires_grad
    torch.testing.assert_close(total, reference(case, list(TERMS)).detach())


def test_no_positions() -> None:
    case = Case(0, 25, 0.7)
    total, terms = ours(case, ["weighted_cross_entropy", "lists_twice"])
    assert float(total.detach()) == 0
    assert terms.tolist() == [0, 0]
    total.backward()
    assert case.table.grad is not None
    assert float(case.table.grad.abs().sum()) == 0


def test_a_loss_that_depends_on_nothing_has_no_gradient() -> None:
    case = Case(8, 25, 0.7)
    total, _ = chunked(case.states, case.table, lambda logits, part: torch.ones(2) * logits.items)
    total.backward()
    assert float(total.detach()) == 50.0
    assert case.states.grad is not None
    assert float(case.states.grad.abs().sum()) == 0


def test_half_precision_sums_in_float32() -> None:
    case = Case(12, 40, 0.7)
    states, table = case.states.detach().bfloat16(), case.table.detach().bfloat16()
    states.requires_grad_(), table.requires_grad_()
    types: set[torch.dtype] = set()

    def loss(logits: Logits, part: slice) -> Tensor:
        types.add(logits.log_normaliser().dtype)
        return (logits.log_normaliser() - logits.at(case.targets[part][:, None])[:, 0]).sum()[None]

    total, _ = chunked(states, table, loss)
    expected = F.cross_entropy(states.float() @ table.float().T, case.targets, reduction="sum")
    assert types == {torch.float32}
    torch.testing.assert_close(total.detach(), expected.detach(), rtol=2e-2, atol=2e-2)
    (gradient,) = torch.autograd.grad(total, states)
    (wanted,) = torch.autograd.grad(expected, states)
    torch.testing.assert_close(gradient.float(), wanted.float(), rtol=5e-2, atol=5e-2)


def test_gradients_scale_with_what_follows() -> None:
    case = Case(8, 25, 0.7)
    once = torch.autograd.grad(ours(case, ["weighted_cross_entropy"])[0], case.inputs)
    thrice = torch.autograd.grad(3 * ours(case, ["weighted_cross_entropy"])[0], case.inputs)
    for one, other in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * one, other)


def test_chunk_size_changes_nothing() -> None:
    case = Case(31, 25, 0.7)
    totals = [float(ours(case, list(TERMS), rows)[0].detach()) for rows in (1, 2, 10, 31, 1000)]
    assert max(totals) - min(totals) < 1e-9


@pytest.mark.parametrize("kind", [True, False])
def test_the_size_of_the_catalogue_can_be_asked(kind: bool) -> None:
    case, sizes = Case(3, 17, 20.0), []
    chunked(
        case.states,
        case.table,
        lambda logits, part: sizes.append(logits.items) or logits.at(case.lists[part]).sum()[None],
        dense=kind,
    )
    assert set(sizes) == {17}


def test_a_seen_chunk_is_not_mixed_up_with_the_next() -> None:
    """Chunks share memory: what one chunk answered must not change when the next is made."""
    case, kept = Case(9, 40, 0.5), []

    def loss(logits: Logits, part: slice) -> Tensor:
        kept.append((part, logits.at(case.lists[part]).detach(), logits.log_normaliser().detach()))
        return logits.log_normaliser().sum()[None]

    chunked(case.states, case.table, loss, chunk_bytes=2 * 40 * 8)
    exact = (case.states @ case.table.T).detach()
    assert len(kept) > 3
    for part, chosen, normaliser in kept:
        torch.testing.assert_close(chosen, exact[part].gather(1, case.lists[part]))
        torch.testing.assert_close(normaliser, exact[part].logsumexp(1))


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_a_constant_added_to_all_logits_changes_no_probability(shift: float) -> None:
    """Metamorphic: one more width that is 1 everywhere and `shift` in the table."""
    case = Case(7, 30, 0.5)
    with torch.no_grad():
        states = torch.cat((case.states, torch.ones(7, 1, dtype=torch.float64)), dim=1)
        table = torch.cat((case.table, torch.full((30, 1), shift, dtype=torch.float64)), dim=1)
    plain, _ = ours(case, ["weighted_cross_entropy"])
    case.states, case.table = states, table
    moved, _ = ours(case, ["weighted_cross_entropy"])
    torch.testing.assert_close(moved.detach(), plain.detach(), rtol=1e-9, atol=1e-9)


def test_the_order_of_positions_does_not_matter() -> None:
    case = Case(19, 30, 0.5)
    total, _ = ours(case, ["weighted_cross_entropy", "lists_twice"], rows=4)
    order = torch.randperm(19, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        case.states, case.weights = case.states[order], case.weights[order]
    case.targets, case.lists = case.targets[order], case.lists[order]
    again, _ = ours(case, ["weighted_cross_entropy", "lists_twice"], rows=4)
    torch.testing.assert_close(again.detach(), total.detach(), rtol=1e-9, atol=1e-9)
