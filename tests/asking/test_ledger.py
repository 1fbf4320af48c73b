"""The ledger's file: what it promises when disks fill up, files are damaged and books are added up."""

from __future__ import annotations

import hashlib
import sqlite3

import pytest
from billed import request, requests
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.asking import Asker, BudgetConfig, Cost, EndpointConfig, Ledger, Usage
from recdistill.asking.ledger import Hindrance, bill
from recdistill.asking.ledger.database import VERSION
from recdistill.asking.requests import Question
from recdistill.errors import StorageError

HERE = EndpointConfig(base_url="http://nowhere/v1", model="m")
FREE = BudgetConfig()


def question(text: str) -> Question:
    return Question(request(text), HERE)


def state(ledger: Ledger, of: Question) -> str:
    return ledger.database.rows("SELECT state FROM questions WHERE key = ?", of.key)[0]["state"]


def test_a_question_goes_from_planned_to_parsed(ledger) -> None:
    asked, states = question("a"), []
    ledger.plan([asked])
    states.append(state(ledger, asked))
    attempt = ledger.send(asked, "me", FREE)
    states.append(state(ledger, asked))
    raw = ledger.receive(attempt, 200, b"raw")
    states.append(state(ledger, asked))
    assert ledger.answers([asked.key]) == [raw]
    ledger.settle([(attempt, Cost(1, 5, 7), Usage(3, 2))])
    states.append(state(ledger, asked))
    assert states == ["planned", "sent", "received", "parsed"]
    assert ledger.spent("me") == Cost(1, 5, 7)
    assert ledger.send(asked, "me", FREE) is Hindrance.KNOWN


def test_a_raw_answer_is_on_the_disk_when_receive_returns(ledger) -> None:
    """Another connection, which knows nothing but the files, sees it at once; and commits are flushed (FULL = 2)."""
    asked = question("a")
    ledger.plan([asked])
    ledger.receive(ledger.send(asked, "me", FREE), 200, b"\x00raw\xff")
    with sqlite3.connect(ledger.path) as other:
        assert other.execute("SELECT body FROM attempts").fetchall() == [(b"\x00raw\xff",)]
    other.close()
    assert ledger.database.rows("PRAGMA synchronous")[0][0] == 2
    assert ledger.database.rows("PRAGMA journal_mode")[0][0] == "wal"


def test_living_owners_are_waited_for_and_dead_ones_succeeded(tmp_path) -> None:
    asked = question("a")
    with Ledger(tmp_path / "l.sqlite") as mine:
        theirs = Ledger(tmp_path / "l.sqlite")
        theirs.plan([asked])
        first = theirs.send(asked, "they", FREE)
        assert mine.send(asked, "me", FREE) is Hindrance.BUSY
        theirs.owner.close()  # what the kernel does when a process dies
        second = mine.send(asked, "me", FREE)
        assert isinstance(second, str)
        ends = {
            row["id"]: row["ending"]
            for row in mine.database.rows("SELECT id, ending FROM attempts")
        }
        assert ends == {first: "lost", second: "open"}
        assert mine.spent("they") == asked.worst  # perhaps it was charged
        theirs.close()


def test_what_is_given_up_is_free_for_others(tmp_path) -> None:
    asked = question("a")
    with Ledger(tmp_path / "l.sqlite") as mine, Ledger(tmp_path / "l.sqlite") as theirs:
        mine.plan([asked])
        mine.send(asked, "me", FREE)
        mine.release()
        assert isinstance(theirs.send(asked, "they", FREE), str)
        mine.give_up(asked.key)  # no longer ours to give
        assert mine.send(asked, "me", FREE) is Hindrance.BUSY


ENDINGS = st.sampled_from(["answered", "settled", "failed", "lost", "unsent", "open"])


@settings(max_examples=15)
@given(st.lists(st.tuples(ENDINGS, st.sampled_from("ab"), st.integers(0, 10**6)), max_size=12))
def test_accounts_are_the_sums_of_their_attempts(tmp_path_factory, steps) -> None:
    """Kept by the database, whatever order things happen in; and never below what was, or may have been, charged."""
    expected = {"a": Cost(), "b": Cost()}
    with Ledger(tmp_path_factory.mktemp("books") / "l.sqlite") as ledger:
        for number, (ending, account, tokens) in enumerate(steps):
            asked = question(f"{number}")
            ledger.plan([asked])
            attempt = ledger.send(asked, account, FREE)
            cost = asked.worst
            if ending in ("answered", "settled"):
                ledger.receive(attempt, 200, b"")
            if ending == "settled":
                cost = Cost(1, tokens, 3 * tokens)
                ledger.settle([(attempt, cost, Usage(tokens, 0))])
            if ending in ("failed", "lost", "unsent"):
                ledger.fail(attempt, ending, "why")
                cost = {"failed": Cost(1), "lost": cost, "unsent": Cost()}[ending]
            expected[account] += cost
        for account, cost in expected.items():
            assert ledger.spent(account) == cost
            told = bill(ledger, account)
            assert told.paid + told.maybe == cost
            assert told.calls == cost.calls == told.answers + told.failed + told.lost


def test_a_full_disk_stops_the_asking(server, ledger) -> None:
    """After the first commit that fails nothing more is sent; what was received stays, and asking goes on later."""
    endpoint = server.endpoint(concurrency=4, model="full disk")
    asker = Asker(endpoint, ledger)
    asker.ask(requests(5))
    long = [request(f"{number} " + "x" * 3_000) for number in range(200)]
    ledger.plan(Question(one, endpoint) for one in long)
    pages = ledger.database.rows("PRAGMA page_count")[0][0]
    ledger.database.rows(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StorageError, match="full"):
        asker.ask(long)
    kept, sent = (
        len(ledger.answers(one.key(endpoint) for one in long)),
        len(server.about(long, endpoint)),
    )
    assert kept < 200
    assert sent <= kept + 2 * 4  # those under way, and those written down when the disk was full
    ledger.database.rows("PRAGMA max_page_count = 1000000")
    assert all(answer.text for answer in asker.ask([*requests(5), *long]))
    assert len(server.about(long, endpoint)) <= 200 + sent - kept


def test_a_ledger_that_cannot_be_opened_is_named(tmp_path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=r"l\.sqlite cannot be used: file is not a database"):
        Ledger(tmp_path / "l.sqlite")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be used"):
        Ledger(tmp_path / "file" / "l.sqlite")


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger, ledger.database.change() as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StorageError, match="newer version"):
        Ledger(tmp_path / "l.sqlite")


def known_by_its_schema(ledger: Ledger, asked: Question) -> str:
    """Give a question the key that it had in version 1: the hash of everything that is sent."""
    told = f"{HERE.identity}\n{asked.body}"
    before = hashlib.sha256(told.encode()).hexdigest()
    with ledger.database.change() as db:
        db.execute("UPDATE questions SET key = ? WHERE key = ?", (before, asked.key))
        db.execute("UPDATE attempts SET key = ? WHERE key = ?", (before, asked.key))
        db.execute("PRAGMA user_version = 1")
    return before


@pytest.mark.parametrize("version", [0, 1])
def test_the_database_of_another_program_is_left_alone(tmp_path, version) -> None:
    path = tmp_path / "bookmarks.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="is a database, but no ledger"):
        Ledger(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_an_older_ledger_knows_is_found(tmp_path) -> None:
    """Version 1 told questions apart by their schemas, too: of two that are one now, the answered one stays."""

    def asked(text: str, schema: object) -> Question:
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        return Question(request(text, response_format=form), HERE)

    with Ledger(tmp_path / "l.sqlite") as old:
        answered = {}
        for text, schema, answer in (
            ("a", 1, b"first"), ("a", 2, b"second"), ("b", 1, None), ("b", 2, b"only"), ("c", 1, None),
        ):  # fmt: skip
            one = asked(text, schema)
            old.plan([one])
            if answer:
                old.receive(old.send(one, "me", FREE), 200, answer)
            answered[known_by_its_schema(old, one)] = answer
        plain = question("plain")
        old.plan([plain])
        old.receive(old.send(plain, "me", FREE), 200, b"plain")
        spent = old.spent("me")
        assert len(answered) == 5
    with Ledger(tmp_path / "l.sqlite") as now:
        found = {
            text: [raw.body for raw in now.answers([asked(text, 3).key])]
            for text in ("a", "b", "c")
        }
        assert found["a"] in ([b"first"], [b"second"])
        assert found["b"] == [b"only"]
        assert found["c"] == []
        assert state(now, asked("c", 3)) == "planned"
        assert [raw.body for raw in now.answers([plain.key])] == [b"plain"]
        assert now.spent("me") == spent
        assert bill(now).calls == 4, "what was paid is still on the bill"
        assert now.database.rows("SELECT COUNT(*) FROM questions")[0][0] == 4
        assert now.database.rows("PRAGMA user_version")[0][0] == VERSION
        orphans = "SELECT 1 FROM attempts WHERE key NOT IN (SELECT key FROM questions)"
        assert now.database.rows(orphans) == []


def test_runs_share_a_ledger_in_the_cache(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    with Ledger() as ledger:
        assert ledger.path == tmp_path / "recdistill" / "asking" / "ledger.sqlite"


def test_who_forgets_to_close_a_ledger_does_not_keep_what_it_asked(tmp_path) -> None:
    asked, forgotten = question("a"), Ledger(tmp_path / "l.sqlite")
    forgotten.plan([asked])
    forgotten.send(asked, "they", FREE)
    with Ledger(tmp_path / "l.sqlite") as mine:
        assert mine.hindrance(asked) is Hindrance.BUSY
        del forgotten
        assert mine.hindrance(asked) is None
