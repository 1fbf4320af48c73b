"""Helpers of the objectives' tests: student logits in float64, and finite differences through
them."""

from __future__ import annotations

import torch

from recdistill.distill.objectives.contract import Places
from recdistill.models.logits import chunked

POSITIONS, ITEMS, WIDTH, K = 7, 11, 4, 5


def student(seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(POSITIONS, WIDTH, generator=generator, dtype=torch.float64)
    table = torch.randn(ITEMS, WIDTH, generator=generator, dtype=torch.float64)
    return states, table


def top_k(seed=1, k=K, temperature=1.0):
    """What a teacher with logits over the whole catalogue would store, and these logits."""
    generator = torch.Generator().manual_seed(seed)
    full = 2 * torch.randn(POSITIONS, ITEMS, generator=generator, dtype=torch.float64)
    best, items = full.topk(k)
    others = full.scatter(1, items, -torch.inf)
    rest = torch.logsumexp(others / temperature, dim=1)
    return {"items": items, "logits": best, "rest": rest}, full


def targets(seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(ITEMS, (POSITIONS,), generator=generator)


def losses(objective, states, table, signal, wanted=None, *, chunk_bytes=1 << 20, progress=0.0):
    """The per-position losses summed, as the distiller takes them, chunk by chunk."""
    wanted = targets() if wanted is None else wanted
    knobs = objective.knobs(progress, {})

    def of_chunk(logits, part):
        fields = {name: field[part] for name, field in signal.items()}
        places = Places(wanted[part], torch.ones(ITEMS))
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
