"""Operations that tell how the server is."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

import msgspec

from recdistill import __version__
from recdistill.serving.messages import Health, RecommendRequest, Version
from recdistill.serving.openapi import document
from recdistill.serving.operations import Call, Operation
from recdistill.serving.problems import problem
from recdistill.serving.shelf import Shelf
from recdistill.serving.wire import JSON, Answer
from recdistill.serving.work import Work

_FRESH, _PATIENCE = 1.0, 1.0
"""Seconds for which a proof holds, and in which it must come."""


class Status:
    """Alive, ready, and what it is."""

    def __init__(self, shelf: Shelf, work: Work) -> None:
        self._shelf, self._work = shelf, work
        self._document = Answer(200, b"")
        self._proven = -math.inf
        self._proof: asyncio.Future[bool] | None = None

    async def live(self, call: Call) -> Health:
        """The process turns its loop: nothing else is looked at, so overload is no reason to be killed."""
        return Health()

    async def ready(self, call: Call) -> Health:
        """The student answers, now or a second ago. However many ask (everybody may), it is asked once."""
        if time.monotonic() - self._proven > _FRESH:
            if self._proof is None or self._proof.done():
                self._proof = asyncio.ensure_future(self._prove())
            done, _ = await asyncio.wait([self._proof], timeout=_PATIENCE)
            if not done or not self._proof.result():
                raise problem("not-ready", retry_after=1)
        return Health()

    async def _prove(self) -> bool:
        student = self._shelf.student
        try:
            await self._work.begin(lambda: student.recommend([RecommendRequest(history=[], k=1)]))
        except (
            Exception
        ):  # whatever it is: a student that fails at the simplest question is not ready
            return False
        self._proven = time.monotonic()
        return True

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
