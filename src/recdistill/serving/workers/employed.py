"""A worker, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from recdistill.serving.assignment import Assignment
from recdistill.serving.metrics import MULTIPROCESS, forget_process
from recdistill.serving.workers.channel import Begin, Channel, Message, Prepare, Take
from recdistill.serving.workers.sealed import Sealed

WORKER = "recdistill.serving.workers.worker"


@dataclass(frozen=True)
class Edition:
    """A bundle that is to be answered from, and its number: the later, the higher."""

    number: int
    bundle: Sealed


@dataclass
class Employed:
    """A process and what it has been told.

    Attributes:
        asked: the number that it was last asked to prepare.
        prepared: the number that it last said to be ready.
        took: the number that it was told to answer from.
        serving: it accepts requests.
    """

    process: subprocess.Popen[bytes]
    channel: Channel
    asked: int = -1
    prepared: int = -1
    took: int = -1
    serving: bool = False

    def bring_to(self, edition: Edition) -> None:
        """Have it answer from this: prepare it first where that has not been done."""
        if self.took == edition.number:
            return
        if self.prepared == edition.number:
            self.took = edition.number
            self.send(Take(edition.number))
        else:
            self.ask_for(edition)

    def ask_for(self, edition: Edition) -> None:
        """Have it prepare this, if it has not been asked already."""
        if self.asked != edition.number:
            self.asked = edition.number
            names, files = zip(*edition.bundle.files.items(), strict=True)
            self.send(Prepare(edition.number, str(edition.bundle.path), list(names)), files)

    def is_prepared(self, number: int) -> None:
        """It says so."""
        self.prepared = number

    def send(self, message: Message, files: tuple[int, ...] = ()) -> None:
        """Tell it something; that it is gone is heard of elsewhere."""
        with contextlib.suppress(OSError):
            self.channel.send(message, files)

    def bury(self, metrics: Path) -> None:
        """It hung up: see it off."""
        self.process.kill()
        self.process.wait()
        self.channel.close()
        forget_process(metrics, self.process.pid)

    def leave(self, until: float) -> None:
        """Wait for it to end, and end it at the time `until`."""
        try:
            self.process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.channel.close()


def employ(assignment: Assignment, listener: socket.socket, metrics: Path) -> Employed:
    """Start a worker. It is a fresh process, so nothing of this one's threads and locks is in it."""
    ours, theirs = socket.socketpair()
    files = (theirs.fileno(), listener.fileno())
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER, *map(str, files)],
            pass_fds=files,
            stdin=subprocess.DEVNULL,
            env=os.environ | {MULTIPROCESS: str(metrics)} | _one_thread_each(),
            process_group=0,  # an interrupt from the terminal reaches the supervisor only
        )
    worker = Employed(process, Channel(ours))
    worker.send(Begin(assignment.model_dump_json()))
    return worker


def _one_thread_each() -> dict[str, str]:
    """Workers are many; what they compute with need not be."""
    return {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
