"""How fast and how many at once: what the settings allow, and what the endpoint bears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache

from recdistill.asking.endpoint import EndpointConfig


class Meter:
    """Spreads an amount evenly over time, so many a minute; `None`: no bound."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds = 60.0 / per_minute if per_minute else 0.0
        self._free = 0.0

    async def wait(self, amount: int) -> None:
        """Wait until `amount` more may go."""
        now = time.monotonic()
        begin = max(now, self._free)
        self._free = begin + amount * self._seconds
        if begin > now:
            await asyncio.sleep(begin - now)

    def correct(self, amount: int) -> None:
        """Say that it was `amount` more (or less, if negative) than said before."""
        self._free += amount * self._seconds


@cache
def meter(endpoint: str, model: str, what: str, per_minute: int | None) -> Meter:
    """The process's one meter of what a model at an endpoint is sent: it runs on from one asking to the next."""
    return Meter(per_minute)


class Pace:
    """What every request passes before it leaves.

    How many may be under way halves when the endpoint says that it is too much, once for all that were under way
    then, and grows by one with every round of good answers.
    """

    def __init__(self, endpoint: EndpointConfig) -> None:
        name = endpoint.identity, endpoint.model
        self.requests = meter(*name, "requests", endpoint.requests_per_minute)
        self.tokens = meter(*name, "tokens", endpoint.tokens_per_minute)
        self._most = endpoint.concurrency
        self.limit = float(endpoint.concurrency)
        """How many may be under way just now; its whole part counts."""
        self._under_way = 0
        self._changed = asyncio.Condition()
        self._closed_until = 0.0
        self._eased_at = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        """One of the places for requests under way."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._under_way < int(self.limit))
            self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            async with self._changed:
                self._changed.notify_all()

    async def metered(self, tokens: int) -> None:
        """Wait for the turn of a request of about so many tokens."""
        await self.requests.wait(1)
        await self.tokens.wait(tokens)

    async def open(self) -> None:
        """Wait until the endpoint wants to hear from us again; it may be sent to at once then."""
        while (left := self._closed_until - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def close_for(self, seconds: float) -> None:
        """Nobody sends anything for so long."""
        self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def good(self) -> None:
        """An answer came."""
        self.limit = min(self._most, self.limit + 1.0 / self.limit)

    def too_much(self, sent_at: float) -> None:
        """A request that left at `sent_at` (monotonic seconds) was turned away for being one too many."""
        if sent_at > self._eased_at:
            self.limit = max(1.0, self.limit / 2.0)
            self._eased_at = time.monotonic()
