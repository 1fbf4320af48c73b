"""An account's budget, shared by the tasks that spend it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from recdistill.asking.costs import BudgetConfig


@dataclass
class Purse:
    """Whose budget it is, and how many reservations are open, so that some of it may come back."""

    account: str
    budget: BudgetConfig
    settled: int = 0
    """Reservations that are over."""
    _open: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def reservation(self) -> Generator[None, None, None]:
        """Around an attempt whose worst case is booked."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self.settled += 1
            self._changed.set()
            self._changed = asyncio.Event()

    async def gives_back(self, seen: int) -> bool:
        """Wait until more is settled than when it was `seen`; False where nothing is left that could be."""
        while self.settled == seen and self._open:
            await self._changed.wait()
        return self.settled != seen
