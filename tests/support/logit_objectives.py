"""Helpers of the objectives' tests: student logits in float64, finite differences through them, and
what every objective over logits must keep to."""

from __future__ import annotations

import torch

from recdistill.distill.objectives.contract import Places
from recdistill.models.logits import chunked

POSITIONS, ITEMS, WIDTH, K = 7, 11, 4, 5
POPULARITY = torch.tensor([40.0, 1, 9, 3, 20, 1, 2, 15, 0, 6, 3])


def student(seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(POSITIONS, WIDTH, generator=generator, dtype=torch.float64)
    table = torch.randn(ITEMS, WIDTH, generator=generator, dtype=torch.float64)
    return states, table


def top_k(seed=1, k=K, temperature=1.0):
    """What a teacher with logits over the whole catalogue would store, and these logits."""
    generator = torch.Generator().manual_seed(seed)
    full = 2 * torch.randn(POSITIONS, ITEMS, generator=generator, dtype=torch.float64)
    return listed(full, k, temperature), full


def listed(full, k=K, temperature=1.0):
    """The list of a teacher with these logits; these are taken for normalised already."""
    best, items = full.topk(k)
    others = full.scatter(1, items, -torch.inf)
    return {"items": items, "logits": best, "rest": torch.logsumexp(others / temperature, dim=1)}


def targets(seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(ITEMS, (POSITIONS,), generator=generator)


def losses(objective, states, table, signal, wanted=None, *, chunk_bytes=1 << 20, progress=0.0):
    """The per-position losses summed, as the distiller takes them, chunk by chunk; the same random
    draws at every call."""
    torch.manual_seed(0)
    wanted = targets() if wanted is None else wanted
    knobs = objective.knobs(progress, {})

    def of_chunk(logits, part):
        fields = {name: field[part] for name, field in signal.items()}
        places = Places(wanted[part], POPULARITY, torch.arange(len(wanted))[part])
        return objective(logits, places, fields, knobs).sum().unsqueeze(0)

    return chunked(states, table, of_chunk, dense=objective.dense, chunk_bytes=chunk_bytes)[0]


def each(objective, states, table, signal, wanted=None):
    """The loss of each position by itself."""
    wanted = targets() if wanted is None else wanted
    return torch.stack(
        [
            losses(
                objective,
                states[[row]],
                table,
                {name: field[[row]] for name, field in signal.items()},
                wanted[[row]],
            )
            for row in range(len(states))
        ]
    )


def check_gradients(objective, signal):
    """Finite differences with respect to states and table."""
    states, table = (part.requires_grad_() for part in student())
    return torch.autograd.gradcheck(
        lambda s, t: losses(objective, s, t, signal), (states, table), atol=1e-6
    )


def check_chunks(objective, signal):
    """One position at a time gives what all at once give: values and gradients."""
    results = []
    for chunk_bytes in (1, 1 << 20):
        states, table = (part.requires_grad_() for part in student())
        total = losses(objective, states, table, signal, chunk_bytes=chunk_bytes)
        total.backward()
        results.append((total.detach(), states.grad, table.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


class Sparse:
    """A student that has no logits but those of listed items."""

    items = ITEMS

    def __init__(self, full):
        self._full = full

    def at(self, items):
        return self._full.gather(1, items)

    def of(self, items):
        return self._full[:, items]

    def log_normaliser(self, temperature=1.0):
        raise AssertionError("asked for the whole catalogue")

    def full(self):
        raise AssertionError("asked for the whole catalogue")


def check_contract(objective, *, draws=False):
    """What every objective over `top-k` must keep to.

    Its gradients are those of its value; chunks are nobody's business (unless it `draws`, when each
    chunk draws its own); `dense` tells the truth; a list of one item, of all items and of a teacher
    that has no doubts are losses like any other; single precision stays single.
    """
    signal, _ = top_k()
    assert check_gradients(objective, signal)
    if not draws:
        check_chunks(objective, signal)
    _check_dense(objective, signal)
    for extreme in (*(top_k(k=k)[0] for k in (1, 2, ITEMS)), _certain()):
        _check_finite(objective, extreme, torch.float64)
    _check_finite(objective, signal, torch.float32)


def _certain():
    signal, _ = top_k()
    logits = torch.full_like(signal["logits"], -300.0)
    logits[:, 0] = 0.0
    return {**signal, "logits": logits, "rest": torch.full_like(signal["rest"], -torch.inf)}


def _check_dense(objective, signal):
    states, table = student()
    places, knobs = (
        Places(targets(), POPULARITY, torch.arange(len(targets()))),
        objective.knobs(0.0, {}),
    )
    try:
        found = objective(Sparse(states @ table.T), places, signal, knobs)
    except AssertionError:
        assert objective.dense
    else:
        assert not objective.dense
        assert found.shape == (POSITIONS,)


def _check_finite(objective, signal, dtype):
    states, table = (part.to(dtype).requires_grad_() for part in student())
    signal = {
        name: field.to(dtype) if field.is_floating_point() else field
        for name, field in signal.items()
    }
    total = losses(objective, states, table, signal)
    total.backward()
    assert total.dtype == dtype
    assert total.isfinite()
    assert states.grad.isfinite().all()
    assert table.grad.isfinite().all()
