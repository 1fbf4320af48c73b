"""Several processes, dying ones among them: nothing is paid twice that was received once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from billed import BillingServer, request, requests
from killed import finish, label_with_kills, received, start

from recdistill.asking import Asker, Ledger
from recdistill.asking.ledger import Hindrance
from recdistill.asking.requests import Question


@pytest.fixture
def slow_server():
    with BillingServer(latency=0.02) as running:
        yield running


def test_killed_and_resumed(slow_server, tmp_path) -> None:
    """Whatever was received is never charged again; what was under way is, at most once a kill."""
    number, concurrency, kills = 90, 8, 3
    endpoint = slow_server.endpoint(concurrency=concurrency, known_as="labels", timeout=60.0)
    outcome = label_with_kills(slow_server, endpoint, number, kills, tmp_path, seed=4)
    assert outcome.kills == kills
    assert outcome.again == 0
    assert number <= outcome.charged <= number + kills * concurrency
    with BillingServer() as other:
        finish(
            start(
                tmp_path / "calm.sqlite",
                other.endpoint(known_as="labels"),
                number,
                tmp_path / "calm.json",
            )
        )
    assert outcome.labels == (tmp_path / "calm.json").read_text()


def test_processes_that_ask_the_same_share_the_work(slow_server, tmp_path) -> None:
    """Three at once, each question is charged once; all have all the answers."""
    endpoint, ledger = slow_server.endpoint(concurrency=4, timeout=60.0), tmp_path / "ledger.sqlite"
    outs = [tmp_path / f"labels-{index}.json" for index in range(3)]
    processes = [start(ledger, endpoint, 60, out) for out in outs]
    for process in processes:
        finish(process)
    lines = slow_server.lines()
    assert len(lines) == len({line["question"] for line in lines}) == 60
    assert len({out.read_text() for out in outs}) == 1
    assert len(json.loads(outs[0].read_text())) == 60


def test_who_waits_for_a_dying_process_takes_over(slow_server, tmp_path) -> None:
    """Another process sent the question and is killed before the answer comes: seen at once, no lease runs out."""
    ledger, endpoint = tmp_path / "ledger.sqlite", slow_server.endpoint(concurrency=1, timeout=60.0)
    asked = request("[[hang x1]] a label")
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from billed import *; from recdistill.asking import Asker, EndpointConfig, Ledger\n"
            "endpoint = EndpointConfig.model_validate_json(sys.argv[1])\n"
            "Asker(endpoint, Ledger(Path(sys.argv[2]))).ask([request('[[hang x1]] a label')])",
            endpoint.model_dump_json(),
            str(ledger),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not slow_server.lines():
        assert other.poll() is None
    with Ledger(ledger) as opened:
        asker = Asker(endpoint, opened)
        assert opened.hindrance(Question(asked, endpoint)) is Hindrance.BUSY
        other.kill()
        other.wait()
        assert asker.ask([asked])[0].text
        assert asker.bill().calls == 1
    assert len(slow_server.lines()) == 2


FORKING = """
import os, sys, time
from pathlib import Path
from recdistill.asking import Ledger
ledger = Ledger(Path(sys.argv[1]))
if os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(ledger.owner.name, flush=True)
sys.stdin.read()
"""


def test_a_forked_child_does_not_keep_its_dead_parent_alive(tmp_path) -> None:
    """The child has what the parent had open; while the parent lives it is alive, then dead at once."""
    command = [sys.executable, "-c", FORKING, str(tmp_path / "l.sqlite")]
    parent = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    try:
        assert parent.stdout
        name = parent.stdout.readline().strip()
        with Ledger(tmp_path / "l.sqlite") as opened:
            assert opened.owner.lives(name)
            parent.kill()
            parent.wait()
            assert not opened.owner.lives(name)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


def test_ctrl_c_waits_for_what_is_under_way(tmp_path) -> None:
    """Nothing more is sent, and every answer that was paid for is there."""
    with BillingServer(latency=0.3) as server:
        ledger, endpoint = tmp_path / "ledger.sqlite", server.endpoint(concurrency=4, timeout=60.0)
        process = start(ledger, endpoint, 400, tmp_path / "out.json")
        while len(received(ledger)) < 6:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait() != 0
        assert len(server.lines()) == len(received(ledger)) < 400


def test_owners_leave_no_litter(server, tmp_path) -> None:
    path = tmp_path / "ledger.sqlite"
    for _ in range(3):
        with Ledger(path) as opened:
            Asker(server.endpoint(), opened).ask(requests(1, "litter"))
    assert list((tmp_path / "ledger.sqlite.owners").iterdir()) == []
    assert received(path) == {requests(1, "litter")[0].key(server.endpoint())}
