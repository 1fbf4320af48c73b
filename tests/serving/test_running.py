"""A real process on a real socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from recdistill.errors import ConfigError
from recdistill.serving.configuration import ServerConfig, is_loopback, require_safe


@pytest.fixture
def process(bundle_folder, tmp_path):
    code = "from recdistill.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(bundle_folder), "--port", "0"]
    command += [
        "--histories",
        str(tmp_path / "histories.sqlite"),
        "--pseudonym-key",
        str(tmp_path / "keys" / "key"),
    ]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    yield started
    started.kill()
    started.communicate()


def test_a_server_answers_and_stops_when_told(process, student) -> None:
    lines = iter(process.stderr.readline, "")
    said = next(line for line in lines if line.startswith("Serving"))
    port = int(re.search(r"http://127\.0\.0\.1:(\d+)", said).group(1))
    token = next(lines).split()[-1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", "/v1/recommend", json.dumps({"history": ["i0001"]}), headers)
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["bundle"] == student.digest
    assert answer.getheader("server") is None
    connection.close()
    os.kill(process.pid, signal.SIGTERM)
    process.wait(timeout=10)
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_loopback_it_needs_keys(host, tmp_path) -> None:
    with pytest.raises(ConfigError, match="needs keys"):
        require_safe(ServerConfig(host=host))
    require_safe(ServerConfig(host=host, keys=tmp_path / "keys.json"))


def test_what_is_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("no such host")
    with pytest.raises(ConfigError, match="both"):
        require_safe(ServerConfig(certificate="server.pem"))
