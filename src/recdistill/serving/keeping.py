"""Operations on what users did: kept by pseudonym, shown and forgotten on request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from recdistill.errors import StorageError
from recdistill.serving.histories.contract import Event, EventConflictError, Histories
from recdistill.serving.keeping_messages import (
    Acknowledged,
    EventsRequest,
    Forgotten,
    KeptEvent,
    SentEvent,
    UserHistory,
)
from recdistill.serving.operations import Call, Operation
from recdistill.serving.passes import Passes
from recdistill.serving.problems import ProblemError, from_error, problem
from recdistill.serving.pseudonyms import Pseudonyms
from recdistill.serving.work import Work

Result = TypeVar("Result")
_MOST_AT_ONCE: Final = 5_000
"""Events of one transaction."""


class Keeping:
    """The door to the store: ids go in as pseudonyms, and raw ones no further than here."""

    def __init__(
        self,
        histories: Histories,
        pseudonyms: Pseudonyms,
        reads: Work,
        writes: Work,
        patience: float,
    ) -> None:
        """`patience`: seconds that reading histories may take."""
        self._histories, self._pseudonyms = histories, pseudonyms
        self._reads, self._writes, self._patience = reads, writes, patience
        # Requests that come while the disk is being flushed share the next flush.
        self._appends = Passes[list[Event], int](
            writes, lambda each: self._histories.append_many(each), _MOST_AT_ONCE, size=len
        )

    async def append(self, call: Call) -> Acknowledged:
        """Acknowledge events, once they are durable."""
        request: EventsRequest = call.body
        now = time.time()
        events = [self._hidden(event, now) for event in request.events]
        try:
            new = await _stored(self._appends.ask(events))
        except EventConflictError as conflict:
            raise problem("event-conflict", field=f"$.events[{conflict.place}].id") from None
        return Acknowledged(len(events), new)

    async def latest(self, users: Sequence[str], number: int) -> list[list[str]] | None:
        """The latest items of users, oldest first; `None` where the store cannot tell, or not in time."""
        hidden = [self._pseudonyms.user(user) for user in users]
        try:
            async with asyncio.timeout(self._patience):
                return await self._reads.run(
                    lambda: [self._histories.latest(user, number) for user in hidden]
                )
        except (ProblemError, StorageError, TimeoutError):
            return None

    async def export(self, call: Call) -> UserHistory:
        """All that is kept of a user."""
        pseudonym = self._pseudonyms.user(call.name)
        events = await _stored(self._reads.run(lambda: self._histories.export(pseudonym)))
        return UserHistory([KeptEvent(event.item, event.at) for event in events])

    async def forget(self, call: Call) -> Forgotten:
        """Remove a user."""
        pseudonym = self._pseudonyms.user(call.name)
        return Forgotten(await _stored(self._writes.run(lambda: self._histories.forget(pseudonym))))

    def _hidden(self, event: SentEvent, now: float) -> Event:
        hide = self._pseudonyms
        at = now if event.at is None else event.at
        return Event(hide.event(event.id), hide.user(event.user), str(event.item), at)

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        return [
            Operation(
                method="POST",
                path="/v1/events",
                access="events",
                summary="Remember what users did. Acknowledged events are durable; each id counts once.",
                handler=self.append,
                takes=EventsRequest,
                gives=Acknowledged,
                asked=EventsRequest([SentEvent("order-7-1", "ann", "50", 1.7e9)]),
                said=Acknowledged(1, 1),
                problems=("event-conflict", "storage"),
            ),
            Operation(
                method="GET",
                path="/v1/users/{user}",
                access="admin",
                summary="All that is kept of a user.",
                handler=self.export,
                gives=UserHistory,
                said=UserHistory([KeptEvent("50", 1.7e9)]),
                problems=("storage",),
            ),
            Operation(
                method="DELETE",
                path="/v1/users/{user}",
                access="admin",
                summary="Forget a user.",
                handler=self.forget,
                gives=Forgotten,
                said=Forgotten(1),
                problems=("storage",),
            ),
        ]


async def _stored(answer: Awaitable[Result]) -> Result:
    try:
        return await answer
    except StorageError as error:
        raise from_error(error) from error
