"""What is known of a form of a student beside its answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Footprint:
    """What one form of a student takes.

    Attributes:
        student: whose form it is: the run's own, or the name of a smaller one.
        form: how its numbers are stored, in a word or two.
        parameters: numbers in the network and the item table.
        bytes: of the files that hold them.
        bundle_bytes: of everything that leaves the building, the catalogue's texts too.
        latency_p50: seconds from one history to its ten best items, on one thread; half are faster.
        latency_p99: 99 of 100 are faster.
    """

    student: str
    form: str
    parameters: int
    bytes: int
    bundle_bytes: int
    latency_p50: float
    latency_p99: float

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)
