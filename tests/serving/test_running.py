"""A real process on a real socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from served import listening

from recdistill.errors import ConfigError
from recdistill.serving.answering import Student
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
    assert process.wait(timeout=10) == 0  # it put its things away
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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_tls(client, tmp_path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-keyout", key, "-out", certificate, "-subj", "/CN=here"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with listening(client.app, certificate=certificate, certificate_key=key) as (_, port):
        with httpx.Client(verify=trusting) as http:
            assert http.get(f"https://127.0.0.1:{port}/livez").status_code == 200
        with httpx.Client() as http, pytest.raises(httpx.TransportError):
            http.get(f"http://127.0.0.1:{port}/livez")


def test_what_is_under_way_is_finished_before_the_end(client, monkeypatch) -> None:
    """Four requests are being computed when the server is told to stop: all are answered."""
    whole, begun = Student.recommend, threading.Event()

    def slow(self, requests):
        begun.set()
        time.sleep(0.4)
        return whole(self, requests)

    monkeypatch.setattr(Student, "recommend", slow)
    headers = {"authorization": f"Bearer {client.token}"}
    with listening(client.app) as (server, port), ThreadPoolExecutor(4) as clients:
        address = f"http://127.0.0.1:{port}/v1/recommend"

        def ask(number: int) -> int:
            body = {"history": ["i0001"], "k": number + 1}
            return httpx.post(address, json=body, headers=headers, timeout=20).status_code

        answers = [clients.submit(ask, number) for number in range(4)]
        assert begun.wait(10)
        while client.app._answers.under_way < 4:
            time.sleep(0.01)
        server.should_exit = True
        assert [answer.result() for answer in answers] == [200] * 4
