"""A real server under bodies and bytes that mean harm: it lives, answers, and does not grow."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from served import listening

from recdistill.serving.limits import Limits

MALFORMER = Path(__file__).parents[1] / "support" / "malformer.py"


@pytest.mark.parametrize(
    ("bodies", "leak", "grows"),
    [
        (3_000, 0, False),
        (3_000, 20_000, True),  # what a leak looks like to this test
        pytest.param(100_000, 0, False, marks=pytest.mark.slow),
    ],
)
def test_malformed_bodies_leave_nothing_behind(bundle_folder, bodies, leak, grows) -> None:
    """Growth of memory between the first tenth and the end: 32 MiB at most."""
    command = [sys.executable, MALFORMER, bundle_folder, str(bodies), str(leak)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200)
    growth, *statuses = map(int, told.stdout.split())
    assert (growth > 32 << 20) == grows, growth
    assert set(statuses) <= {400, 413, 415, 422}


@pytest.fixture
def address(client):
    with listening(client.app) as (_, port):
        yield "127.0.0.1", port


def test_bytes_that_are_no_http_do_no_harm(address, client) -> None:
    draw = random.Random(0)
    good = b'POST /v1/recommend HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{"k": 10}'
    for number in range(300):
        data = bytearray(good)
        for _ in range(draw.randint(1, 12)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        data = data[: draw.randint(1, len(data))] * draw.choice([1, 1, 1, 50])
        with closing(socket.create_connection(address, timeout=10)) as one:
            one.sendall(data)
            if number % 2:
                one.shutdown(socket.SHUT_WR)
                one.recv(4096)
    headers = {"authorization": f"Bearer {client.token}"}
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", headers=headers) as http:
        assert http.get("/livez").status_code == 200
        assert http.post("/v1/recommend", json={"history": []}).status_code == 200
        assert client.app._answers.under_way == 0


def exchanged(address, *parts: bytes, seconds: float = 10) -> bytes:
    """What comes back until the server hangs up."""
    with closing(socket.create_connection(address, timeout=seconds)) as one:
        try:
            for part in parts:
                one.sendall(part)
        except ConnectionError:
            pass
        told = b""
        try:
            while more := one.recv(65536):
                told += more
        except ConnectionResetError:
            pass
        return told


HEAD = b"GET /livez HTTP/1.1\r\nhost: a\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD, b"x: " + b"a" * 17_000 + b"\r\n\r\n"),  # whole
        (HEAD, b"x: " + b"a" * 60_000),  # without an end
        (HEAD, *[b"x%d: 1\r\n" % n for n in range(4000)]),
        (b"GET /" + b"a" * 20_000,),
        (
            b"POST /livez HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            b"x: " + b"a" * 3_000_000,
        ),
    ],
)
def test_a_head_without_measure_is_refused(address, parts) -> None:
    told = exchanged(address, *parts)
    # Of a request that was answered before its end came, the answer stands first.
    assert b"HTTP/1.1 431 " in told or told == b""
    assert exchanged(address, HEAD + b"connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_heads_of_the_usual_size_pass_one_after_the_other(address) -> None:
    large = HEAD + b"x: " + b"a" * 12_000 + b"\r\n\r\n"
    told = exchanged(address, large * 5 + HEAD + b"connection: close\r\n\r\n")
    assert told.count(b"HTTP/1.1 200") == 6


@pytest.mark.parametrize("part", [b"", b"GET /livez HTTP/1.1\r\nhost:"])
def test_who_sends_no_whole_head_in_time_is_hung_up_on(client, part) -> None:
    with listening(client.app, limits=Limits(arrival=0.3)) as (_, port):
        began = time.monotonic()
        assert exchanged(("127.0.0.1", port), part) == b""
        assert time.monotonic() - began < 5
        assert exchanged(("127.0.0.1", port), HEAD + b"connection: close\r\n\r\n")
