"""Turns between training processes: each trains while it has the word, and counts what it learned from.

A worker says `ready` once it is warm; for each line `go SECONDS` it trains at least that long, in whole steps,
and answers with one JSON line; at the end of its input it stops. It needs nothing but the standard library, so
that it runs in any environment.
"""

from __future__ import annotations

import json
import os
import sys
import time


class Pace:
    """Told after each step how many targets it had; holds the process still between its turns."""

    def __init__(self, warm_up: int = 2) -> None:
        self._left = warm_up
        self._until = 0.0
        self._targets = 0

    def step_done(self, targets: int) -> None:
        if self._left:
            self._left -= 1
            if not self._left:
                self._say("ready")
                self._wait()
            return
        self._targets += targets
        if time.perf_counter() >= self._until:
            seconds = time.perf_counter() - self._began
            processor = time.process_time() - self._processor
            self._say(
                json.dumps({"targets": self._targets, "seconds": seconds, "processor": processor})
            )
            self._wait()

    def _wait(self) -> None:
        words = sys.stdin.readline().split()
        if not words:
            sys.stdout.flush()
            os._exit(0)  # in the midst of someone's training loop: there is nothing to tidy up
        self._targets, self._began = 0, time.perf_counter()
        self._processor = time.process_time()
        self._until = self._began + float(words[1])

    @staticmethod
    def _say(line: str) -> None:
        print(f"@{line}", flush=True)
