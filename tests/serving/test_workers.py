"""Several processes behind one socket: all count, all change together, and one that falls is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest
from started import alive, started, wait_until

from recdistill.serving.answering import open_student
from recdistill.serving.pointer import Pointer


@pytest.fixture
def server(folder):
    with started(folder, "--workers", 2, "--histories", "none") as running:
        yield running


def names(server, number=16) -> set[str]:
    """Who answers: the first half of a request's number is its process's."""
    return {server.once().headers["x-request-id"].partition("-")[0] for _ in range(number)}


def bundles(server, number=12) -> set[str]:
    return {server.once().body["bundle"] for _ in range(number)}


def counted(server, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", headers=server.headers).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return float(values[name])


def test_all_answer_and_their_counts_are_one(server, folder) -> None:
    assert len(server.children()) == 2
    wait_until(lambda: len(names(server)) == 2)
    before = counted(server, "recdistill_lists_total")
    for item in range(0, 40):
        server.once({"history": [f"i{item:04}"], "k": 40, "filter_seen": False})
    assert counted(server, "recdistill_lists_total") == before + 40
    assert counted(server, "recdistill_covered_items") == 40
    assert counted(server, "recdistill_catalogue_items") == 40
    assert counted(server, "recdistill_under_way") == 0
    digest = open_student(folder / "a").digest
    assert counted(server, f'recdistill_bundle_info{{bundle="{digest}"}}') == 1


def test_a_promotion_reaches_all_and_a_broken_one_none(server, folder) -> None:
    digests = {name: open_student(folder / name).digest for name in "abc"}
    assert bundles(server) == {digests["a"]}
    pointer = Pointer(folder)
    pointer.promote("b")
    wait_until(lambda: bundles(server) == {digests["b"]})
    pointer.promote("broken")
    wait_until(lambda: counted(server, "recdistill_refused_bundles_total") == 1)
    assert bundles(server) == {digests["b"]}
    server.wait_for('"what":"refused"')
    assert pointer.roll_back() == "b"
    assert pointer.roll_back() == "a"
    wait_until(lambda: bundles(server) == {digests["a"]})
    # Whoever takes the place of another answers from what is current, not from what was at the start.
    pointer.promote("c")
    wait_until(lambda: bundles(server) == {digests["c"]})
    for pid in server.children():
        os.kill(pid, signal.SIGKILL)
    assert bundles(server) == {digests["c"]}


class Load:
    """Clients that ask without a pause; each keeps its connection while it lasts."""

    def __init__(self, server, clients: int) -> None:
        self.server, self.failures, self.answers = server, [], []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for each in self._threads:
            each.start()

    def _ask(self) -> None:
        while not self._done.is_set():
            with self.server.client() as http:
                try:
                    while not self._done.is_set():
                        answer = http.post("/v1/recommend", json={"history": ["i0001"]})
                        self.answers.append((time.monotonic(), answer.status_code))
                except httpx.TransportError as error:
                    self.failures.append(error)

    def end(self) -> None:
        self._done.set()
        for each in self._threads:
            each.join()


def test_who_is_killed_is_replaced_within_three_seconds(server) -> None:
    """Four clients: no more requests fail than were in the fallen worker's hands, and none of the others'."""
    wait_until(lambda: len(names(server)) == 2)
    known = names(server)
    load = Load(server, 4)
    time.sleep(0.5)
    victim = server.children()[0]
    os.kill(victim, signal.SIGKILL)
    seconds = wait_until(
        lambda: len(names(server, 12) - known) == 1 and len(server.children()) == 2
    )
    load.end()
    assert not alive(victim)
    assert len(load.failures) <= 4
    assert {status for _, status in load.answers} == {200}
    assert len(load.answers) > 20
    # The machine that tests run on may have more to do: then it takes as long as one process takes to begin.
    assert seconds <= max(3.0, 3 * one_beginning())


def one_beginning() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import recdistill.serving.workers.worker"], check=True)
    return time.monotonic() - began


def test_told_to_stop_all_stop(server) -> None:
    children = server.children()
    server.stop()
    assert not any(map(alive, children))
    with pytest.raises(ConnectionRefusedError):
        server.once()


def test_a_supervisor_that_is_killed_leaves_nobody_behind(server) -> None:
    children = server.children()
    server.process.kill()
    wait_until(lambda: not any(map(alive, children)))


def test_what_no_worker_can_begin_with_is_said(folder, tmp_path) -> None:
    Pointer(folder).promote("broken")
    code = "from recdistill.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", folder, "--port", "0", "--workers", "2"]
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 6
    assert "items.parquet" in ended.stderr
    assert "Traceback" not in ended.stderr
