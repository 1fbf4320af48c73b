"""Stores of histories: durable, exactly once, forgetting for good."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from remembered import ANN, BOB, behaves_as_a_dictionary, calls, event

from recdistill.errors import ConfigError, StorageError
from recdistill.serving.histories.contract import EventConflictError
from recdistill.serving.histories.opening import open_store
from recdistill.serving.histories.sqlite import SqliteHistories
from recdistill.serving.pseudonyms import VARIABLE, Pseudonyms, pseudonyms_from

APPENDER = Path(__file__).parents[1] / "support" / "appender.py"


@pytest.fixture
def histories(tmp_path):
    opened = SqliteHistories(tmp_path / "histories.sqlite", "key")
    yield opened
    opened.close()


@given(calls)
def test_a_store_is_a_dictionary_by_id(tmp_path_factory, calls) -> None:
    histories = SqliteHistories(tmp_path_factory.mktemp("model") / "h.sqlite", "key")
    behaves_as_a_dictionary(histories, calls)
    histories.close()


def test_a_conflict_keeps_nothing_and_says_which(histories) -> None:
    histories.append([event(1)])
    with pytest.raises(EventConflictError) as refused:
        histories.append([event(2), event(1, item="y"), event(3)])
    assert refused.value.place == 1
    assert histories.export(ANN) == [event(1)]


def test_requests_that_share_a_flush_are_each_whole_or_absent(histories) -> None:
    kept = histories.append_many(
        [
            [event(1), event(2)],
            [event(3), event(1, item="y")],  # the first is somebody else's: 3 is not kept either
            [event(2), event(4)],
            [],
            [event(3, item="z")],
        ]
    )
    assert [k if isinstance(k, int) else ("conflict", k.place) for k in kept] == [
        2,
        ("conflict", 1),
        1,
        0,
        1,
    ]
    assert histories.export(ANN) == [event(1), event(2), event(4), event(3, item="z")]


def test_what_is_forgotten_is_in_no_file(histories, tmp_path) -> None:
    histories.append([event(n, ANN, f"secret-item-{n}") for n in range(300)])
    histories.append([event(n, BOB, "kept") for n in range(300, 320)])
    files = list(tmp_path.iterdir())
    assert any(b"secret-item" in file.read_bytes() for file in files)
    assert histories.forget(ANN) == 300
    assert histories.forget(ANN) == 0
    for file in tmp_path.iterdir():
        assert b"secret-item" not in file.read_bytes()
        assert ANN not in file.read_bytes()
    assert len(histories.export(BOB)) == 20


def test_two_processes_share_a_file(histories, tmp_path) -> None:
    other = SqliteHistories(tmp_path / "histories.sqlite", "key")
    assert histories.append([event(1)]) == 1
    assert other.append([event(1), event(2)]) == 1
    assert histories.latest(ANN, 10) == ["x", "x"]
    other.close()


def test_another_key_and_another_version_are_refused(histories, tmp_path) -> None:
    path = tmp_path / "histories.sqlite"
    with pytest.raises(ConfigError, match="another key"):
        SqliteHistories(path, "other")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StorageError, match="newer"):
        SqliteHistories(path, "key")
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        SqliteHistories(damaged, "key")


def kill_while_appending(path: Path, kills: int, clients: int) -> tuple[set[int], int]:
    """Start an appender, kill it, again and again: the numbers it said were kept, and how many lives did something."""
    draw, acknowledged, lives = random.Random(0), set[int](), 0
    for _ in range(kills):
        command = [sys.executable, APPENDER, path, max(acknowledged, default=0), clients]
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE)
        first = process.stdout.readline()  # it is at work
        time.sleep(draw.uniform(0.0, 0.03))
        process.kill()
        rest, _ = process.communicate()
        told = [int(line) for line in (first + rest).split(b"\n")[:-1]]
        acknowledged |= set(told)
        lives += bool(told)
    return acknowledged, lives


def kept_numbers(path: Path) -> list[int]:
    histories = SqliteHistories(path, "key")
    found = [int.from_bytes(one.id, "big") for one in histories.export(ANN)]
    histories.close()
    return found


@pytest.mark.parametrize("clients", [1, 8])
@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_whatever_is_killed_acknowledged_events_are_there_exactly_once(
    tmp_path, kills, clients
) -> None:
    path = tmp_path / "histories.sqlite"
    acknowledged, lives = kill_while_appending(path, kills, clients)
    kept = kept_numbers(path)
    assert lives == kills
    # A life may do no more than send again what the last one did.
    assert len(acknowledged) > kills // 2
    assert acknowledged <= set(kept)
    assert len(kept) == len(set(kept))


def test_pseudonyms_are_hmac_by_the_book() -> None:
    import hashlib
    import hmac

    key = bytes(range(32))
    expected = hmac.new(key, b"user\0" + "Ann Ö".encode(), hashlib.sha256).digest()[:16]
    hidden = Pseudonyms(key)
    assert hidden.user("Ann Ö") == expected
    assert hidden.event("Ann Ö") != expected
    assert Pseudonyms(key[::-1]).user("Ann Ö") != expected
    assert Pseudonyms(key[::-1]).identity != hidden.identity
    with pytest.raises(ConfigError, match="needs 32"):
        Pseudonyms(b"short")


def test_the_key_is_made_once_and_guarded(tmp_path, monkeypatch) -> None:
    path = tmp_path / "key"
    made = pseudonyms_from(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert pseudonyms_from(path).identity == made.identity
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="Others than its owner"):
        pseudonyms_from(path)
    path.chmod(0o600)
    path.write_text("no hex")
    with pytest.raises(ConfigError, match="hexadecimal"):
        pseudonyms_from(path)
    monkeypatch.setenv(VARIABLE, "0f" * 32)
    assert pseudonyms_from(path).identity == Pseudonyms(b"\x0f" * 32).identity
    assert open_store("none") is None
    with pytest.raises(ConfigError, match="beside"):
        open_store(str(tmp_path / "h.sqlite"), path)
