"""Something that is done again and again, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from recdistill.errors import RecDistillError


class Regularly:
    """Done once when it is made, then again and again until it is stopped."""

    def __init__(
        self,
        work: Callable[[], None],
        troubled: Callable[[RecDistillError], None],
        every: float = 0.5,
    ) -> None:
        """`every`: seconds between; `troubled` hears of each new trouble once.

        Raises:
            RecDistillError: the first time already fails.
        """
        self._work, self._troubled, self._every = work, troubled, every
        self._last, self._stopped = "", threading.Event()
        work()
        self._thread = threading.Thread(target=self._go, name="regularly", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being done, and do it no more."""
        self._stopped.set()
        self._thread.join()

    def _go(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._work()
                self._last = ""
            except RecDistillError as error:
                if error.message != self._last:
                    self._troubled(error)
                self._last = error.message
