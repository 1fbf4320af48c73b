"""A judge whose every word is known, and a teacher that listens to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.files import content_hash, read_json, write_json
from recdistill.settings import Settings
from recdistill.teachers.candidates import RerankingConfig, RerankingTeacher
from recdistill.teachers.judging import JUDGES


class Scripted:
    """Prefers candidates by sin(seed + 3 · latest item + 7 · candidate); silent where that of the row is low.

    `silence` is the share of rows (by their latest item) of which nothing is said, `partial` says nothing of
    candidates with odd ids.
    """

    kind: ClassVar[str] = "scripted"

    def __init__(
        self, seed: int = 0, silence: bool = False, partial: bool = False, history: int = 2
    ):
        self.seed, self.silence, self.partial, self.history = seed, silence, partial, history
        self.heard: list[tuple[list[int], list[int]]] = []
        """Every history and its candidates, in the order in which they were asked about."""

    def word(self, history: np.ndarray, candidate: int) -> float:
        if self.silence and history[-1] % 3 == 0:
            return float("nan")
        if self.partial and candidate % 2:
            return float("nan")
        return float(np.float32(2 * np.sin(self.seed + 3.0 * history[-1] + 7.0 * candidate)))

    def judge(self, histories: Sequences, candidates: np.ndarray) -> np.ndarray:
        assert len(histories.values) == histories.lengths.sum(), "what came later is out of reach"
        for row in range(len(histories)):
            assert len(histories[row]) <= self.history
            self.heard.append((histories[row].tolist(), candidates[row].tolist()))
        words = [
            [self.word(histories[r], item) for item in candidates[r]] for r in range(len(histories))
        ]
        return np.array(words, dtype=np.float32).reshape(candidates.shape)

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "silence": self.silence,
            "partial": self.partial,
            "history": self.history,
        }

    def identity(self) -> str:
        return content_hash(self._settings)

    def save(self, folder: Path) -> None:
        write_json(folder / "scripted.json", self._settings)

    @classmethod
    def load(cls, folder: Path) -> Scripted:
        return cls(**read_json(folder / "scripted.json"))


JUDGES["scripted"] = ("judges", "Scripted")


class ScriptedConfig(RerankingConfig):
    kind: Literal["scripted"] = "scripted"
    seed: int = 0
    silence: bool = False


class ScriptedTeacher(RerankingTeacher):
    Config: ClassVar[type[Settings]] = ScriptedConfig

    @property
    def name(self) -> str:
        return "scripted"

    def _judge(self, dataset: Dataset, run) -> Scripted:
        return Scripted(self.config.seed, self.config.silence)
