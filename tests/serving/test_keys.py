"""Keys: shown once, stored hashed, read again when the file changes."""

from __future__ import annotations

import hashlib

import pytest

from recdistill.cli.app import run
from recdistill.errors import ConfigError
from recdistill.serving.keys import KeyRing, _WatchedKeys, make_key, write_keys
from recdistill.serving.pace import Pace


def test_the_file_holds_hashes_and_its_owner_alone_may_read_it(tmp_path, capsys) -> None:
    path = tmp_path / "keys.json"
    assert run(["keys", "add", "--keys", str(path), "--scope", "recommend", "--name", "web"]) == 0
    token = capsys.readouterr().out.strip()
    prefix, identity, secret = token.split("_", 2)
    assert prefix == "rd"
    assert secret not in path.read_text()
    assert hashlib.sha256(secret.encode()).hexdigest() in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyRing(path=path).find(token).id == identity
    assert run(["keys", "list", "--keys", str(path)]) == 0
    assert capsys.readouterr().out.split() == [identity, "recommend", "web"]


def test_two_keys_live_side_by_side_and_a_revoked_one_stops_working(tmp_path, capsys) -> None:
    path = tmp_path / "keys.json"
    tokens = []
    for _ in range(2):
        run(["keys", "add", "--keys", str(path), "--scope", "events"])
        tokens.append(capsys.readouterr().out.strip())
    ring = KeyRing(path=path)
    ring._file = _WatchedKeys(path, every=0.0)
    assert all(ring.find(token) for token in tokens)
    assert run(["keys", "revoke", "--keys", str(path), tokens[0].split("_")[1]]) == 0
    assert ring.find(tokens[0]) is None
    assert ring.find(tokens[1]) is not None
    path.unlink()
    assert ring.find(tokens[1]) is None
    assert run(["keys", "revoke", "--keys", str(path), "00000000"]) == 2


def test_files_that_are_no_good_are_refused(tmp_path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(ConfigError, match="Cannot read the keys"):
        KeyRing(path=path)
    write_keys(path, [])
    with pytest.raises(ConfigError, match="no API key"):
        KeyRing(path=path)
    write_keys(path, [make_key(["admin"])[0]])
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="Others than its owner"):
        KeyRing(path=path)
    path.write_text("{")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no file of keys"):
        KeyRing(path=path)


def test_scopes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match="recomend") as refused:
        make_key(["recomend"])
    assert "'recommend'" in refused.value.hint
    with pytest.raises(ConfigError):
        make_key([])


def test_a_bucket_fills_steadily() -> None:
    now = [0.0]
    pace = Pace(rate=2.0, burst=3, clock=lambda: now[0])
    assert [pace.wait("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] = 0.25
    assert pace.wait("a") == pytest.approx(0.25)
    now[0] = 0.5
    assert pace.wait("a") == 0.0
    assert pace.wait("b") == 0.0
    now[0] = 1e6
    assert sum(pace.wait("a") == 0.0 for _ in range(10)) == 3
