"""Ctrl-C and polite kills, taken between steps, where the state is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Interruption:
    """The signal that asked to stop, once one did."""

    signal: int | None = None

    def obey(self) -> None:
        """Let the signal do what it would have done, once the usual handlers are back.

        Raises:
            KeyboardInterrupt: that was nothing; but the work was stopped, and nobody may take it for done.
        """
        if self.signal is not None:
            signal.raise_signal(self.signal)
            raise KeyboardInterrupt


@contextmanager
def postponed_interruption() -> Generator[Interruption, None, None]:
    """Note the first SIGINT or SIGTERM instead of obeying it; after that, the next one is obeyed at
    once.

    The noted signal is obeyed when the block ends. A signal that the process ignores (as background jobs
    and `nohup` have it) stays ignored. Outside the main thread, which alone receives signals, nothing is
    changed.
    """
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    usual = {number: kept for number, kept in handlers.items() if kept != signal.SIG_IGN}

    def note(number: int, frame: Any) -> None:
        noted.signal = number
        _install(usual)

    _install(dict.fromkeys(usual, note))
    try:
        yield noted
    finally:
        _install(usual)
    noted.obey()


def _install(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
