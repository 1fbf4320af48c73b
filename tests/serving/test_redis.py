"""Histories in a real Redis, killed and started again; skipped where there is none."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from remembered import ANN, BOB, behaves_as_a_dictionary, calls, event

from recdistill.errors import ConfigError, StorageError
from recdistill.serving.histories.contract import EventConflictError
from recdistill.serving.histories.opening import open_store
from recdistill.serving.histories.redis import RedisHistories

redis = pytest.importorskip("redis")
SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="no redis-server here")


class Server:
    """A server with its data in a folder."""

    def __init__(self, folder: Path, fsync: str = "always") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url, self.folder, self._fsync = f"redis://127.0.0.1:{self.port}/0", folder, fsync
        self.start()

    def start(self) -> None:
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": '""'}
        options |= {"appendonly": "yes", "appendfsync": self._fsync, "logfile": "log"}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([SERVER, *words], stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            for _ in range(200):
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def emptied(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("redis"))
    yield started
    started.kill()


@pytest.fixture
def histories(server):
    server.emptied()
    opened = RedisHistories(server.url, "key")
    yield opened
    opened.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(calls)
def test_a_store_is_a_dictionary_by_id(server, histories, calls) -> None:
    server.emptied()
    behaves_as_a_dictionary(histories, calls)


def test_a_conflict_keeps_nothing_and_says_which(histories) -> None:
    histories.append([event(1)])
    with pytest.raises(EventConflictError) as refused:
        histories.append([event(2), event(1, item="y"), event(3)])
    assert refused.value.place == 1
    assert histories.export(ANN) == [event(1)]


def test_acknowledged_events_survive_a_kill_exactly_once(server, histories) -> None:
    """Five times: append, kill the server, start it, send the last request again."""
    for life in range(5):
        request = [event(10 * life + n, item=f"ö{n}", at=float(life)) for n in range(10)]
        assert histories.append(request) == 10
        server.kill()
        with pytest.raises(StorageError):
            histories.latest(ANN, 1)
        server.start()
        assert histories.append(request) == 0
    assert [int.from_bytes(one.id, "big") for one in histories.export(ANN)] == list(range(50))
    assert histories.latest(ANN, 2) == ["ö8", "ö9"]


def test_what_is_forgotten_leaves_the_file_too(server, histories) -> None:
    histories.append([event(n, ANN, f"secret-item-{n}") for n in range(100)])
    histories.append([event(n, BOB, "kept") for n in range(100, 120)])

    def written() -> bytes:
        files = (server.folder / "appendonlydir").glob("*.aof")
        return b"".join(file.read_bytes() for file in files)

    assert b"secret-item" in written()
    assert histories.forget(ANN) == 100
    until = time.monotonic() + 20
    while b"secret-item" in written() and time.monotonic() < until:
        time.sleep(0.05)
    assert b"secret-item" not in written()
    assert ANN not in written()
    assert histories.forget(ANN) == 0
    assert len(histories.export(BOB)) == 20


def test_servers_that_may_lose_what_they_acknowledge_are_refused(tmp_path) -> None:
    hasty = Server(tmp_path, fsync="everysec")
    with pytest.raises(ConfigError, match="appendfsync"):
        RedisHistories(hasty.url, "key")
    hasty.kill()
    with pytest.raises(StorageError, match="ConnectionError"):
        RedisHistories(hasty.url.replace("redis://", "redis://user:secret@"), "key")


def test_it_opens_by_url_and_refuses_another_key(server, histories, tmp_path) -> None:
    with pytest.raises(ConfigError, match="another key"):
        open_store(server.url, tmp_path / "key")
    server.emptied()
    store = open_store(server.url, tmp_path / "key")
    assert store.histories.append([event(1)]) == 1
    store.histories.close()
