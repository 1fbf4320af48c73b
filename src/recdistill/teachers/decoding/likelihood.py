"""How likely a language model finds each candidate's title after a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.teachers.decoding.branches import Branches
from recdistill.teachers.decoding.trie import Part, Trie


def log_likelihoods(
    branches: Branches, trie: Trie, candidates: Int64[np.ndarray, "prompts candidates"]
) -> Float32[np.ndarray, "prompts candidates"]:
    """log p(title | prompt) = Σ_t log p(token_t | prompt, tokens before it), its end included.

    What the titles of a prompt's candidates share is computed once, and all of a tree in one pass.

    Args:
        branches: of the prompts, nothing grown yet.
        trie: of the catalogue's titles.
        candidates: items, a row a prompt.

    Returns:
        Natural logarithms; NaN for an item without a title.
    """
    parts = [trie.part(items) for items in candidates]
    tokens, parents = _side_by_side(parts)
    logits = branches.grow(tokens, parents)
    found = np.stack(
        [_paths(logits[row], part) for row, part in enumerate(parts)], dtype=np.float32
    )
    found[trie.leaves[candidates] < 0] = np.nan
    return found


def lengths(
    trie: Trie, candidates: Int64[np.ndarray, "prompts candidates"]
) -> Int64[np.ndarray, "prompts candidates"]:
    """Tokens of the candidates' titles, their end included."""
    return (trie.paths[candidates] > 0).sum(2)


def _side_by_side(
    parts: Sequence[Part],
) -> tuple[Int64[np.ndarray, "prompts inner"], Int64[np.ndarray, "prompts inner"]]:
    shape = (len(parts), max(len(part.tokens) for part in parts))
    tokens, parents = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    for row, part in enumerate(parts):
        tokens[row, 1 : len(part.tokens)] = part.tokens[1:]
        parents[row, : len(part.parents)] = part.parents
    return tokens, parents


def _paths(
    logits: Float[Tensor, "inner vocabulary"], part: Part
) -> Float32[np.ndarray, " candidates"]:
    """Sums of log-probabilities along the path of each title."""
    logits = logits[: len(part.tokens)].float()
    normalisers = logits.logsumexp(1).cpu().numpy()
    sources = torch.from_numpy(part.sources).to(logits.device).clamp_min(0)
    targets = torch.from_numpy(part.targets).to(logits.device)
    steps = logits[sources, targets].cpu().numpy() - normalisers[part.sources]
    return np.where(part.sources >= 0, steps, 0).sum(1, dtype=np.float64).astype(np.float32)
