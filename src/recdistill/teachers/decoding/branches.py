"""Many ways on from one prompt: the prompt is read once, and so is what the ways share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recdistill.teachers.decoding.decoder import Decoder

_LINES = 16
"""Texts of a pass where every branch is read on its own."""


class Branches(Protocol):
    """Trees of tokens that grow from prompts, one tree a prompt."""

    def grow(
        self, tokens: Int64[np.ndarray, "prompts new"], parents: Int64[np.ndarray, "prompts new"]
    ) -> Float[Tensor, "prompts new vocabulary"]:
        """Let tokens follow others, and say what is expected after each.

        Args:
            tokens: the new ones of each tree. The first of a tree, its root, is the prompt's last token, whatever is
                given.
            parents: after which token of the tree each comes, counted from its root in the order they came; -1 for
                the root, and for fillers, which nobody follows.

        Returns:
            Logits after each new token.
        """
        ...


class SharedBranches:
    """By a cache of keys and values and a mask that shows each token its own ancestors only (tree attention: Miao et
    al. 2024, SpecInfer, section 4.2).

    Exact for models that know places by `position_ids` and mix tokens by attention alone, as long as all they look at
    lies within their sight. `probing.branching` finds out.
    """

    def __init__(self, decoder: Decoder, prompts: Sequence[Sequence[int]]) -> None:
        """Read all but the last token of each prompt, which become the roots."""
        from transformers import DynamicCache

        self._decoder, self._cache = decoder, DynamicCache()
        self._lengths = np.array([len(prompt) - 1 for prompt in prompts])
        self._roots = np.array([prompt[-1] for prompt in prompts])
        self._sees = np.zeros((len(prompts), 0, 0), dtype=np.bool_)
        self._read([prompt[:-1] for prompt in prompts])

    @torch.inference_mode()
    def _read(self, prompts: Sequence[Sequence[int]]) -> None:
        if not any(map(len, prompts)):
            return
        # Padding comes last and is hidden from all that follows; what comes before never sees it.
        tokens, _ = padded(prompts, self._decoder.device)
        self._decoder.model(
            input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1
        )

    @torch.inference_mode()
    def grow(
        self, tokens: Int64[np.ndarray, "prompts new"], parents: Int64[np.ndarray, "prompts new"]
    ) -> Float[Tensor, "prompts new vocabulary"]:
        """As promised."""
        grown, new = self._sees.shape[1], tokens.shape[1]
        self._sees = ancestry(self._sees, parents)
        if not grown:
            tokens = np.concatenate([self._roots[:, None], tokens[:, 1:]], axis=1)
        sees = self._sees[:, grown:]
        # A root sees itself and stands right after the prompt's other tokens.
        places = self._lengths[:, None] + sees.sum(2) - 1
        device = self._decoder.device
        return self._decoder.model(
            input_ids=torch.from_numpy(tokens).to(device),
            position_ids=torch.from_numpy(places).to(device),
            attention_mask=self._mask(sees).to(device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=new,
        ).logits

    def _mask(
        self, sees: Bool[np.ndarray, "prompts new grown"]
    ) -> Float[Tensor, "prompts 1 new _"]:
        """What is added to attention scores: 0 for what is seen, next to -∞ for the rest."""
        width = int(self._lengths.max())
        prompt = np.arange(width) < self._lengths[:, None]
        prompt = np.broadcast_to(prompt[:, None], (*sees.shape[:2], width))
        shown = torch.from_numpy(np.concatenate([prompt, sees], axis=2))[:, None]
        dtype = self._decoder.dtype
        return torch.zeros(shown.shape, dtype=dtype).masked_fill_(~shown, torch.finfo(dtype).min)


class PlainBranches:
    """By reading prompt and branch anew, for any causal model: exact, and slow."""

    def __init__(self, decoder: Decoder, prompts: Sequence[Sequence[int]]) -> None:
        self._decoder, self._prompts = decoder, prompts
        count = len(prompts)
        self._tokens = np.zeros((count, 0), dtype=np.int64)
        self._sees = np.zeros((count, 0, 0), dtype=np.bool_)

    def grow(
        self, tokens: Int64[np.ndarray, "prompts new"], parents: Int64[np.ndarray, "prompts new"]
    ) -> Float[Tensor, "prompts new vocabulary"]:
        """As promised: of the new tokens, those that no other new one follows are read with all before them."""
        grown, new = self._sees.shape[1], tokens.shape[1]
        self._sees = ancestry(self._sees, parents)
        self._tokens = np.concatenate([self._tokens, tokens], axis=1)
        said: Tensor | None = None
        ends = np.argwhere(self._sees[:, grown:, grown:].sum(1) == 1)
        for start in range(0, len(ends), _LINES):
            lines = [
                (row, np.flatnonzero(self._sees[row, grown + end]))
                for row, end in ends[start : start + _LINES].tolist()
            ]
            for (row, line), logits in zip(lines, self._after(lines), strict=True):
                fresh = line[line >= grown] - grown
                if said is None:
                    said = logits.new_zeros(len(self._prompts), new, logits.shape[-1])
                said[row, torch.from_numpy(fresh)] = logits[len(logits) - len(fresh) :]
        assert said is not None
        return said

    def _after(
        self, lines: Sequence[tuple[int, Int64[np.ndarray, " _"]]]
    ) -> list[Float[Tensor, "_ vocabulary"]]:
        """What is expected after each token of prompts and of what follows their last ones."""
        texts = [
            [*self._prompts[row], *self._tokens[row, line[1:]].tolist()] for row, line in lines
        ]
        tokens, mask = padded(texts, self._decoder.device)
        logits = self._decoder.logits(tokens, mask)
        return [said[: len(text)] for said, text in zip(logits, texts, strict=True)]


def padded(
    texts: Sequence[Sequence[int]], device: torch.device
) -> tuple[Int64[Tensor, "texts tokens"], Int64[Tensor, "texts tokens"]]:
    """Token sequences side by side, filled up on the right, and which tokens are theirs."""
    lengths = torch.tensor([len(text) for text in texts])
    tokens = torch.zeros(len(texts), int(lengths.max()), dtype=torch.int64)
    mask = torch.arange(tokens.shape[1]) < lengths[:, None]
    tokens[mask] = torch.tensor([token for text in texts for token in text], dtype=torch.int64)
    return tokens.to(device), mask.long().to(device)


def ancestry(
    sees: Bool[np.ndarray, "prompts grown grown"], parents: Int64[np.ndarray, "prompts new"]
) -> Bool[np.ndarray, "prompts all all"]:
    """Which tokens of a tree each token comes after, itself included, with new ones added."""
    count, grown, new = len(sees), sees.shape[1], parents.shape[1]
    every = np.zeros((count, grown + new, grown + new), dtype=np.bool_)
    every[:, :grown, :grown] = sees
    rows = np.arange(count)
    for column in range(new):
        parent = parents[:, column]
        own = every[:, grown + column]
        own |= every[rows, parent] & (parent >= 0)[:, None]
        own[:, grown + column] = True
    return every
