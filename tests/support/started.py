"""`recdistill serve` as a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

_MAIN = "from recdistill.cli import main; main()"


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: Any


class Started:
    """A server that runs. What it writes is kept in `lines`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        where = self.wait_for(r"http://([\w.:]+)")
        self.url = f"http://{where.group(1)}"
        self.token = ""
        if not {"--keys", "--tokens"} & set(process.args):
            self.token = self.wait_for(r"A key for this session: (\S+)").group(1)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=20)

    def once(self, body: object = None) -> Told:
        """A recommendation over a connection of its own, so that any worker may be the one to answer."""
        host, port = self.url.removeprefix("http://").split(":")
        with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
            headers = self.headers | {"content-type": "application/json"}
            text = json.dumps({"history": ["i0001"]} if body is None else body)
            connection.request("POST", "/v1/recommend", text, headers)
            answer = connection.getresponse()
            return Told(answer.status, dict(answer.getheaders()), json.loads(answer.read()))

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first line that matches."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(filter(None, (re.search(pattern, line) for line in [*self.lines])))
            return bool(found) or self.process.poll() is not None

        wait_until(look, seconds)
        assert found, "".join(self.lines)
        return found[0]

    def children(self) -> list[int]:
        """The processes that it started."""
        pid = self.process.pid
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)


@contextmanager
def started(
    bundle: Path, *options: object, python: str = sys.executable, **environment: str
) -> Iterator[Started]:
    """`recdistill serve BUNDLE OPTIONS` on a free port."""
    command = [python, "-c", _MAIN, "serve", bundle, "--port", 0, *options]
    process = subprocess.Popen(
        [*map(str, command)], stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        yield Started(process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def wait_until(true: Callable[[], object], seconds: float = 30) -> float:
    """Seconds until it became so."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "It never became so."
        time.sleep(0.02)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process lives; one that nobody has seen off does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
