"""A teacher that remembers what it was asked, and every kind of signal to ask it for."""

from __future__ import annotations

from recdistill.signals import HardLabel, ItemVectors, TopK, UserVectors
from recdistill.teachers import RecommenderTeacher

KINDS = [TopK(k=6), ItemVectors(), UserVectors(), HardLabel()]


class Speaker(RecommenderTeacher):
    """A teacher around a given recommender, that remembers what it was asked."""

    def __init__(self, recommender):
        super().__init__(self.Config(model={"kind": "popularity"}))
        self._recommender = recommender
        self.asked: list[int] = []

    def speak(self, contexts, kinds):
        self.asked.extend(contexts.keys.tolist())
        return super().speak(contexts, kinds)
