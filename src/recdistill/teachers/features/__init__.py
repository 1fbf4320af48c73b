"""Vectors of items from outside the log: who makes them, how they are standardised, and who learns from them."""

from __future__ import annotations

from recdistill.teachers.features.file import FileSource
from recdistill.teachers.features.head import FeatureHead
from recdistill.teachers.features.source import Features, ItemSource, Reading
from recdistill.teachers.features.standards import Standards, permuted
from recdistill.teachers.features.student import StudentFeatures
from recdistill.teachers.features.text import TextSource

__all__ = [
    "FeatureHead",
    "Features",
    "FileSource",
    "ItemSource",
    "Reading",
    "Standards",
    "StudentFeatures",
    "TextSource",
    "permuted",
]
