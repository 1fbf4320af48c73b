"""A process that answers. It does what its supervisor says, and stops when that is gone.

python -m recdistill.serving.workers.worker CHANNEL LISTENER     (descriptors that it inherits)
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

from recdistill.errors import BundleError, RecDistillError
from recdistill.serving.answering import Student
from recdistill.serving.app import Application
from recdistill.serving.assignment import Assignment
from recdistill.serving.recording import Recording
from recdistill.serving.running import answer_until_told, web_server
from recdistill.serving.shelf import Shelf, warmed
from recdistill.serving.workers.channel import (
    Begin,
    Channel,
    Failed,
    Prepare,
    Ready,
    Refused,
    Serving,
    Take,
    Tell,
)
from recdistill.serving.workers.sealed import Handed


class Desk:
    """Carries out orders: prepares bundles in the order's own thread, and puts them on the shelf when told to."""

    def __init__(self, channel: Channel, recording: Recording | None) -> None:
        self._channel, self._recording = channel, recording
        self._prepared: tuple[int, Student] | None = None
        self.shelf: Shelf | None = None
        self.app: Application | None = None

    def first(self) -> Shelf:
        """Carry out orders until there is something to answer from.

        Raises:
            EOFError: the supervisor is gone.
        """
        while self.shelf is None:
            self.next()
        return self.shelf

    def rest(self) -> None:
        """Carry out orders until the supervisor is gone."""
        try:
            while True:
                self.next()
        except (EOFError, OSError):
            return

    def next(self) -> None:
        """Carry out one order."""
        order, files = self._channel.receive()
        try:
            if isinstance(order, Prepare):
                self._prepare(order, files)
            elif isinstance(order, Take):
                self._take(order)
            elif isinstance(order, Tell) and self.app:
                self.app.refused(BundleError(order.why))
        finally:
            for each in files:
                os.close(each)

    def _prepare(self, order: Prepare, files: list[int]) -> None:
        place = Handed(order.path, order.files, files)
        replayed = self._recording.sample() if self._recording else ()
        try:
            student = warmed(Path(order.path), place, replayed)
            if (
                self.shelf
            ):  # whether the rules and items of now fit it is found out here, not when all take it
                student.dressed(self.shelf.student.rules, self.shelf.student.stock)
            self._prepared = (order.number, student)
        except RecDistillError as error:
            self._channel.send(Refused(order.number, error.message))
        else:
            self._channel.send(Ready(order.number))

    def _take(self, order: Take) -> None:
        if self._prepared is None or self._prepared[0] != order.number:
            return  # it was overtaken by another
        student, self._prepared = self._prepared[1], None
        if self.shelf is None:
            self.shelf = Shelf(student)
            return
        try:
            self.shelf.put(student)
        except RecDistillError as error:
            if self.app:
                self.app.refused(error)
            return
        if self.app:
            self.app.promoted(student)


def work(channel: Channel, listener: socket.socket) -> None:
    """Answer until told to stop."""
    begin, _ = channel.receive()
    assert isinstance(begin, Begin)
    assignment = Assignment.model_validate_json(begin.assignment)
    try:
        recording = assignment.kept_requests()
        desk = Desk(channel, recording)
        app = assignment.application(desk.first(), recording)
    except RecDistillError as error:
        channel.send(Failed(error.message, error.hint))
        return
    server = web_server(app, assignment.config)
    desk.app = app

    def obey() -> None:
        desk.rest()
        server.should_exit = True

    channel.send(Serving())
    threading.Thread(target=obey, name="orders", daemon=True).start()
    try:
        answer_until_told(server, listener)
    finally:
        app.close()


def main(channel: int, listener: int) -> None:
    """Take up the inherited descriptors and work."""
    try:
        work(Channel(socket.socket(fileno=channel)), socket.socket(fileno=listener))
    except EOFError:
        return  # the supervisor stopped before there was anything to do


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
