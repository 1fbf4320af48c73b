"""What a teacher said: typed, keyed by context, kept on disk with the identity of who said it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recdistill.signals.collection import Signals
from recdistill.signals.kinds import HardLabel, ItemVectors, SignalKind, TopK, UserVectors
from recdistill.signals.manifest import Expectation, SignalManifest, TeacherIdentity
from recdistill.signals.reader import SignalReader
from recdistill.signals.writer import SignalWriter

if TYPE_CHECKING:
    from recdistill.signals.exchange import from_parquet, to_parquet

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


def __getattr__(name: str) -> Any:
    """Exchange is loaded when it is asked for: it alone needs pyarrow, which servers do without."""
    if name not in ("from_parquet", "to_parquet"):
        raise AttributeError(name)
    from recdistill.signals import exchange

    return getattr(exchange, name)
