"""A judge that orders candidates by how likely a language model finds their titles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.data.sequences import Sequences
from recdistill.files import content_hash, read_json, write_json
from recdistill.teachers.decoding.likelihood import lengths, log_likelihoods
from recdistill.teachers.decoding.voice import Voice

Per = Literal["title", "token"]
_RECORD = "likelihood.json"


@dataclass
class LikelihoodJudge:
    """Attributes:
    voice: who finds titles likely.
    per: whether log-likelihoods are taken as they are, or divided by the number of a title's tokens, so that long
        titles are not at a disadvantage (Wu et al. 2016, section 7, with an exponent of 1).
    history: how many of the latest items are shown.
    """

    voice: Voice
    per: Per = "title"
    history: int = field(init=False)
    kind: ClassVar[str] = "likelihood"

    def __post_init__(self) -> None:
        self.history = self.voice.config.history

    def judge(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> Float32[np.ndarray, "rows c"]:
        """log p(title | history), or its mean over tokens; NaN for items without a title."""
        voice, found = self.voice, np.empty(candidates.shape, dtype=np.float32)
        prompts, counts = voice.prompts(histories), lengths(voice.trie, candidates)
        room = [len(prompt) + int(row.sum()) for prompt, row in zip(prompts, counts, strict=True)]

        def likely(rows: Int64[np.ndarray, " some"]) -> Float32[np.ndarray, "some c"]:
            branches = voice.branches([prompts[row] for row in rows])
            return log_likelihoods(branches, voice.trie, candidates[rows])

        for rows, values in voice.appetite.fed(room, likely):
            found[rows] = values
        return found / np.maximum(counts, 1).astype(np.float32) if self.per == "token" else found

    def identity(self) -> str:
        """A hash of the voice and of what a likelihood is per."""
        return content_hash([self.voice.identity, self.per])

    def save(self, folder: Path) -> None:
        """The voice, and what a likelihood is per."""
        self.voice.save(folder)
        write_json(folder / _RECORD, {"per": self.per})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it back."""
        return cls(Voice.load(folder), read_json(folder / _RECORD)["per"])
