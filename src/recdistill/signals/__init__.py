"""What a teacher said: typed, keyed by context, kept on disk with the identity of who said it."""

from __future__ import annotations

from recdistill.signals.collection import Signals
from recdistill.signals.exchange import from_parquet, to_parquet
from recdistill.signals.kinds import HardLabel, ItemVectors, SignalKind, TopK, UserVectors
from recdistill.signals.manifest import Expectation, SignalManifest, TeacherIdentity
from recdistill.signals.reader import SignalReader
from recdistill.signals.writer import SignalWriter

__all__ = [
    "Expectation",
    "HardLabel",
    "ItemVectors",
    "SignalKind",
    "SignalManifest",
    "SignalReader",
    "SignalWriter",
    "Signals",
    "TeacherIdentity",
    "TopK",
    "UserVectors",
    "from_parquet",
    "to_parquet",
]
