"""How well a decoder names, or lies near, what came next: NDCG@10 on a sample of the validation cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from recdistill.data.cases import Cases, sample
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.ranking import ndcg
from recdistill.models.validation import takes_repeat
from recdistill.teachers.adapting.memory import in_parts
from recdistill.teachers.adapting.naming import Prompts, states
from recdistill.teachers.adapting.reading import Reader, Tokens
from recdistill.teachers.decoding.batching import Appetite
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.likelihood import lengths, log_likelihoods
from recdistill.teachers.decoding.probing import branching
from recdistill.teachers.decoding.trie import Trie

_CASES = 200
_CANDIDATES = 20
"""Whose titles are compared, the right one among them."""


class Judged:
    """Validation cases whose next item has a title, and the prompts about them."""

    def __init__(
        self, decoder: Decoder, prompts: Prompts, titles: Sequence[Tokens], dataset: Dataset
    ) -> None:
        """`titles`: the tokens of each item's, as they are said or as they are read."""
        self._decoder, self._titles, self._dataset = decoder, titles, dataset
        chosen = dataset.valid.take(sample(dataset.valid, _CASES))
        answers = chosen.targets.values[chosen.targets.starts].astype(np.int64)
        known = np.array([bool(titles[item]) for item in answers], dtype=np.bool_)
        known &= chosen.histories.lengths > 0
        self._cases: Cases = chosen.take(np.flatnonzero(known))
        self._answers = answers[known]
        self._prompts = prompts(self._cases.histories)
        self.appetite = Appetite()

    def __len__(self) -> int:
        return len(self._answers)

    def by_titles(self) -> float:
        """The right title among those of candidates drawn alike, by how likely they are found."""
        candidates, trie = self._candidates(), Trie.of(self._titles)
        way, found = branching(self._decoder), np.empty(candidates.shape, dtype=np.float32)
        sizes = lengths(trie, candidates).sum(1)
        room = [
            len(prompt) + size for prompt, size in zip(self._prompts, sizes.tolist(), strict=True)
        ]

        def likely(rows: Int64[np.ndarray, " some"]) -> Float32[np.ndarray, "some c"]:
            branches = way(self._decoder, [self._prompts[row] for row in rows])
            return log_likelihoods(branches, trie, candidates[rows])

        for rows, values in self.appetite.fed(room, likely):
            found[rows] = values
        return self._ndcg(found, np.zeros(len(self), dtype=np.int64))

    @torch.no_grad()
    def by_vectors(self, at_once: int) -> float:
        """The right item among all of the catalogue, by how near its title's vector is to the prompt's."""
        named = np.array([item for item, title in enumerate(self._titles) if title])
        texts = [*(self._titles[item] for item in named), *self._prompts]

        def fitting(some: Sequence[Tokens]) -> Tensor:
            return torch.cat(in_parts(lambda part: states(self._decoder, part), some))

        read = Reader(fitting, texts, at_once)
        vectors = read(torch.arange(len(texts))).cpu().numpy()
        scores = np.full((len(self), len(self._titles)), -np.inf, dtype=np.float32)
        scores[:, named] = vectors[len(named) :] @ vectors[: len(named)].T
        if not takes_repeat(self._dataset.train.histories):
            self._hide(scores)
        return self._ndcg(scores, self._answers)

    def _hide(self, scores: Float32[np.ndarray, "cases items"]) -> None:
        for row in range(len(self)):
            right = scores[row, self._answers[row]]
            scores[row, self._cases.histories[row]] = -np.inf
            scores[row, self._answers[row]] = right

    def _candidates(self) -> Int64[np.ndarray, "cases candidates"]:
        """The right one first, then others with a title that is not its own."""
        draw, named = np.random.default_rng(0), [i for i, t in enumerate(self._titles) if t]
        rows = []
        for answer in self._answers.tolist():
            others = [item for item in named if self._titles[item] != self._titles[answer]]
            count = min(_CANDIDATES - 1, len(others))
            rows.append([answer, *draw.choice(others, count, replace=False).tolist()])
        least = min(map(len, rows), default=1)
        return np.array([row[:least] for row in rows], dtype=np.int64)

    def _ndcg(
        self, scores: Float32[np.ndarray, "cases items"], right: Int64[np.ndarray, " cases"]
    ) -> float:
        at = scores[np.arange(len(self)), right]
        ranks = 1 + (scores > at[:, None]).sum(1)
        rows = np.arange(len(self) + 1, dtype=np.int64)
        targets = Sequences.from_offsets(right.astype(np.int32), rows)
        return float(ndcg(ranks.astype(np.int64), targets).mean())
