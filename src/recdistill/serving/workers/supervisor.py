"""The process that looks after the workers: it starts them, starts them again, and has them all change bundles.

It computes nothing and has one thread. What should be is written down (`current`, `offer`); `_settle` compares it with
what each worker has and gives the orders that are missing, after whatever happened.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recdistill.errors import BundleError, RecDistillError
from recdistill.serving.assignment import Assignment
from recdistill.serving.pointer import Pointer
from recdistill.serving.workers.channel import Failed, Message, Ready, Refused, Serving, Tell
from recdistill.serving.workers.employed import Edition, Employed, employ
from recdistill.serving.workers.sealed import sealed

_LOOK: Final = 0.5
"""Seconds between looks at the pointer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before a worker that fell before it served is started again."""


@dataclass
class _Place:
    """Where a worker works, or will work again."""

    worker: Employed | None = None
    again_at: float = 0.0
    pause: float = _FIRST_PAUSE


@dataclass
class Supervisor:
    """Keeps `assignment.config.workers` processes at `listener`.

    Attributes:
        pointer: the one to follow; `None` for a bundle that stays.
        began: called once, when all workers accept requests.
    """

    assignment: Assignment
    listener: socket.socket
    pointer: Pointer | None
    began: Callable[[], None]
    _places: list[_Place] = field(default_factory=list[_Place])
    _offer: Edition | None = None
    _stopping: bool = False
    _announced: bool = False

    def __post_init__(self) -> None:
        self._places = [_Place() for _ in range(self.assignment.config.workers)]
        self._stamp = self.pointer.stamp() if self.pointer else None
        first = self.pointer.bundle if self.pointer else self.assignment.bundle
        self._trusted = self.assignment.trusted
        self._current = Edition(0, sealed(first, self._trusted))
        self._numbers = 0
        self._selector = selectors.DefaultSelector()
        self._metrics = Path(tempfile.mkdtemp(prefix="recdistill-metrics-"))

    def run(self) -> None:
        """Look after the workers until SIGTERM or SIGINT; then let them finish.

        Raises:
            RecDistillError: a worker cannot begin.
        """
        try:
            with self._told_by_signals():
                while not self._stopping:
                    self._look()
                    self._settle()
                    self._hear(_LOOK)
        finally:
            self._part()
            shutil.rmtree(self._metrics, ignore_errors=True)

    def _settle(self) -> None:
        """Give the orders that are missing."""
        for place in self._places:
            if place.worker is None and time.monotonic() >= place.again_at:
                self._employ(place)
        for worker in self._workers():
            worker.bring_to(self._current)
        self._settle_offer()
        if not self._announced and all(p.worker and p.worker.serving for p in self._places):
            self._announced = True
            self.began()

    def _settle_offer(self) -> None:
        """One worker after the other prepares what is offered; when all have, all take it."""
        if (offer := self._offer) is None:
            return
        asked = [worker for worker in self._workers() if worker.serving]
        for worker in asked:
            if worker.prepared != offer.number:
                worker.ask_for(offer)
                return
        if asked:
            self._current.bundle.close()
            self._current, self._offer = offer, None
            for worker in asked:
                worker.bring_to(self._current)

    def _look(self) -> None:
        if self.pointer is None or not self._announced:
            return
        stamp = self.pointer.stamp()
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        self._withdraw()
        self._numbers += 1
        try:
            self._offer = Edition(self._numbers, sealed(self.pointer.bundle, self._trusted))
        except RecDistillError as error:
            self._tell(error.message)

    def _withdraw(self) -> None:
        if self._offer:
            self._offer.bundle.close()
        self._offer = None

    def _hear(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            worker = key.data
            if worker is None:
                os.read(key.fd, 64)  # a signal; its handler has run
            else:
                self._hear_from(worker)

    def _hear_from(self, worker: Employed) -> None:
        try:
            message, _ = worker.channel.receive()
        except (EOFError, OSError):
            self._lost(worker)
        else:
            self._understand(worker, message)

    def _understand(self, worker: Employed, message: Message) -> None:
        if isinstance(message, Ready):
            worker.is_prepared(message.number)
        elif isinstance(message, Serving):
            worker.serving = True
        elif isinstance(message, Failed) and not self._announced:
            raise RecDistillError(message.why, message.hint)
        elif isinstance(message, Refused):
            self._refused(worker, message)

    def _refused(self, worker: Employed, message: Refused) -> None:
        if self._offer and message.number == self._offer.number:
            self._withdraw()
            self._tell(message.why)
        elif not self._announced:
            raise BundleError(message.why)
        elif message.number == self._current.number:
            worker.process.kill()  # it can answer nothing, though others do: another may, after a pause

    def _tell(self, why: str) -> None:
        """Have a worker count and write down what was refused."""
        for worker in self._workers()[:1]:
            worker.send(Tell(why))

    def _employ(self, place: _Place) -> None:
        place.worker = employ(self.assignment, self.listener, self._metrics)
        self._selector.register(place.worker.channel, selectors.EVENT_READ, place.worker)

    def _lost(self, worker: Employed) -> None:
        self._selector.unregister(worker.channel)
        worker.bury(self._metrics)
        place = next(place for place in self._places if place.worker is worker)
        place.worker = None
        # Who served and fell is replaced at once; who never did would only fall again.
        place.pause = _FIRST_PAUSE if worker.serving else min(2 * place.pause, _LONGEST_PAUSE)
        place.again_at = 0.0 if worker.serving else time.monotonic() + place.pause

    def _workers(self) -> list[Employed]:
        return [place.worker for place in self._places if place.worker is not None]

    def _part(self) -> None:
        """Let the workers finish what is under way; who takes too long is stopped."""
        workers = self._workers()
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + self.assignment.config.limits.farewell + 2
        for worker in workers:
            worker.leave(until)
        self._selector.close()

    @contextmanager
    def _told_by_signals(self) -> Generator[None, None, None]:
        """SIGTERM and SIGINT end the loop, and wake it."""
        ear, mouth = socket.socketpair()
        with ear, mouth, contextlib.ExitStack() as undo:
            mouth.setblocking(False)
            self._selector.register(ear, selectors.EVENT_READ, None)
            undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(mouth.fileno()))
            for each in (signal.SIGTERM, signal.SIGINT):
                undo.callback(signal.signal, each, signal.signal(each, self._stop))
            yield

    def _stop(self, *signal_and_frame: object) -> None:
        self._stopping = True
