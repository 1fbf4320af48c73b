"""Operations that tell how the server is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recdistill import __version__
from recdistill.serving.messages import Health, Version
from recdistill.serving.openapi import document
from recdistill.serving.operations import Call, Operation
from recdistill.serving.shelf import Shelf
from recdistill.serving.wire import JSON, Answer


class Status:
    """Alive, ready, and what it is."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._document = Answer(200, b"")

    async def live(self, call: Call) -> Health:
        """The process turns its loop: nothing else is looked at, so overload is no reason to be killed."""
        return Health()

    async def ready(self, call: Call) -> Health:
        """It has a student."""
        return Health()

    async def version(self, call: Call) -> Version:
        """Which program and which bundle."""
        return self._shelf.student.version(__version__)

    async def describe(self, call: Call) -> Answer:
        """The OpenAPI document."""
        return self._document

    def describing(self, others: Sequence[Operation]) -> tuple[Operation, ...]:
        """The whole table, these operations included; from here on they can describe it."""
        table = (*others, *self.operations())
        self._document = Answer(200, msgspec.json.encode(document(table, __version__)))
        return table

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        return [
            Operation(
                method="GET",
                path="/livez",
                access="anyone",
                summary="Whether the process runs.",
                handler=self.live,
                gives=Health,
                said=Health(),
            ),
            Operation(
                method="GET",
                path="/readyz",
                access="anyone",
                summary="Whether it can answer.",
                handler=self.ready,
                gives=Health,
                said=Health(),
            ),
            Operation(
                method="GET",
                path="/version",
                access="any-key",
                summary="Which program and which bundle answer.",
                handler=self.version,
                gives=Version,
                said=Version("0.1.0", "3f1c", "sasrec", "ml-100k", 1682),
            ),
            Operation(
                method="GET",
                path="/openapi.json",
                access="any-key",
                summary="What this server can be asked.",
                handler=self.describe,
                gives=JSON,
            ),
        ]
