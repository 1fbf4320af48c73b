"""Every way in which an endpoint misbehaves: how often it is asked, what comes of it, and whose bill is right."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

import pytest
from billed import assert_bills_agree, attempts, request, requests

from recdistill.asking import Asker, BudgetConfig, EndpointConfig
from recdistill.asking.answers import read
from recdistill.asking.health import IN_A_ROW
from recdistill.asking.wire import Wire
from recdistill.errors import EndpointError


class Cell(NamedTuple):
    """A fault, how many requests it takes, how attempts end, and what the answer is like."""

    fault: str
    endings: tuple[str, ...]
    answer: str


MATRIX = [
    *(Cell(f"{status} x1", ("failed", "answered"), "text") for status in (408, 409, 425, 429, 500, 502, 503, 529)),
    *(Cell(f"{fault} x1", ("failed", "answered"), "text") for fault in ("429-after", "429-date", "503-after")),
    *(Cell(f"{fault} x1", ("lost", "answered"), "text") for fault in ("hang", "drip")),
    *(Cell(f"{fault} x1", ("lost", "answered"), "text") for fault in ("reset", "reset-midway", "cut-body")),
    Cell("500 x2", ("failed", "failed", "answered"), "text"),
    Cell("500 x9", ("failed", "failed", "failed"), "passing error"),
    Cell("reset x9", ("lost", "lost", "lost"), "passing error"),
    *(Cell(f"{status} x9", ("answered",), "lasting error") for status in (400, 413, 422)),
    *(Cell(f"{fault} x9", ("answered",), "lasting error") for fault in ("cut-json", "wrong-schema", "html", "empty")),
    Cell("error-object x9", ("answered",), "lasting error"),
    Cell("no-usage x9", ("answered",), "text"),
    *(Cell(f"{fault} x9", ("answered",), "refusal") for fault in ("refusal", "filtered")),
]  # fmt: skip


def kind(answer) -> str:
    if answer.error:
        return "lasting error" if answer.lasting else "passing error"
    return "refusal" if answer.refusal else "text"


@pytest.mark.parametrize("cell", MATRIX, ids=lambda cell: cell.fault)
def test_the_fault_matrix(server, ledger, cell) -> None:
    slow = cell.fault.startswith(("hang", "drip"))
    endpoint = server.endpoint(timeout=1.0 if slow else 20.0)
    asked = [request(f"[[{cell.fault}]] why?")]
    asker = Asker(endpoint, ledger)
    (answer,) = asker.ask(asked)
    assert kind(answer) == cell.answer
    lines = server.about(asked, endpoint)
    assert_bills_agree(ledger, lines)
    ends = [attempts(ledger)[line["id"]]["ending"] for line in lines]
    assert tuple(ends) == cell.endings
    if kind(answer) != "passing error":  # an answer is an answer: nobody asks again
        assert asker.ask(asked) == [answer]
        assert len(server.about(asked, endpoint)) == len(lines)


def test_what_may_pass_is_asked_again_by_the_next_run(server, ledger) -> None:
    asker = Asker(server.endpoint(), ledger)
    asked = [request("[[502 x4]] again and again")]
    assert not asker.ask(asked)[0].lasting
    assert asker.ask(asked)[0].text
    assert asker.bill().calls == 5
    assert asker.bill().failed == 4


def test_an_answer_is_asked_again_where_someone_says_so(server, ledger) -> None:
    asker = Asker(server.endpoint(), ledger)
    asked = [request("[[html x1]] a hotel's network")]
    (strange,) = asker.ask(asked)
    ledger.reopen([strange.key])
    assert asker.ask(asked)[0].text
    assert asker.bill().answers == 2  # what the first one cost is not forgotten
    assert_bills_agree(ledger, server.about(asked, asker.endpoint))


@pytest.mark.parametrize("fault", ["429-after", "429-date", "503-after"])
def test_nobody_comes_back_before_retry_after(server, ledger, fault) -> None:
    """One request is turned away; the others, which wait for their turn, leave the endpoint alone too."""
    endpoint = server.endpoint(concurrency=2, model=f"patient {fault}", timeout=20.0)
    asked = [request(f"[[{fault} x1]] first"), *requests(30)]
    Asker(endpoint, ledger).ask(asked)
    lines = server.about(asked, endpoint)
    at = next(line["at"] for line in lines if line["status"] in (429, 503))
    too_soon = [line for line in lines if at < line["at"] < at + 1.0]
    assert len(lines) == 32
    assert len(too_soon) <= 1  # the other one that was under way when the first was turned away
    assert sum(line["at"] >= at + 1.0 for line in lines) >= 25


@pytest.mark.parametrize("fault", ["401", "402", "403", "404", "405", "307", "429-quota"])
def test_what_is_about_all_questions_stops_at_once(server, ledger, fault) -> None:
    endpoint = server.endpoint(concurrency=2, model=f"stop {fault}")
    asked = [request(f"[[{fault} x99]] {number}") for number in range(20)]
    with pytest.raises(EndpointError, match="turns requests away") as refused:
        Asker(endpoint, ledger).ask(asked)
    assert "no luck" in str(refused.value) or "307" in str(refused.value)
    lines = server.about(asked, endpoint)
    assert len(lines) <= 2
    assert_bills_agree(ledger, lines)
    assert ledger.answers(one.key(endpoint) for one in asked) == []  # nothing stands for an answer


def test_who_is_sent_away_for_a_day_does_not_wait(server, ledger) -> None:
    with pytest.raises(EndpointError, match="no requests for 86,400 s"):
        Asker(server.endpoint(), ledger).ask([request("[[429-far x1]] hello")])


def test_an_endpoint_that_gives_errors_only_is_left_alone(server, ledger) -> None:
    endpoint = server.endpoint(concurrency=4, model="errors only")
    asked = [request(f"[[400 x99]] {number}") for number in range(100)]
    with pytest.raises(EndpointError, match=f"no good answer to {IN_A_ROW} questions"):
        Asker(endpoint, ledger).ask(asked)
    assert IN_A_ROW <= len(server.about(asked, endpoint)) <= IN_A_ROW + 4


def test_nobody_there_is_no_call(ledger, server) -> None:
    endpoint = server.endpoint().model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    (answer,) = Asker(endpoint, ledger, BudgetConfig(calls=1)).ask([request("hello?")])
    assert "no connection" in answer.error
    assert not answer.lasting
    with pytest.raises(EndpointError, match="no connection"):
        Asker(endpoint, ledger).ask(requests(100))
    assert attempts(ledger) == {}


def test_other_answers_come_home_when_one_stops_all(server, ledger) -> None:
    """A slow answer that is under way when another request is turned away for good is kept."""
    endpoint = server.endpoint(concurrency=2, timeout=60.0)
    slow = request("[[drip x9]] a slow one")
    with pytest.raises(EndpointError):
        Asker(endpoint, ledger).ask([slow, request("[[403 x9]] and a bad one")])
    assert [raw.key for raw in ledger.answers([slow.key(endpoint)])] == [slow.key(endpoint)]


def test_a_crash_while_reading_an_answer_loses_nothing(server, ledger, monkeypatch) -> None:
    asker = Asker(server.endpoint(), ledger)
    with monkeypatch.context() as broken:
        broken.setattr("recdistill.asking.keeping.read", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            asker.ask([request("a reader with a bug")])
    assert ledger.database.rows("SELECT state FROM questions")[0]["state"] == "received"
    assert asker.bill().maybe.calls == 1  # not read, so not settled: booked at its worst
    assert asker.ask([request("a reader with a bug")])[0].text
    assert asker.bill().maybe.calls == 0
    assert_bills_agree(ledger, server.about([request("a reader with a bug")], asker.endpoint))


def test_a_reader_that_fails_on_one_answer_loses_none_of_the_others(
    server, ledger, monkeypatch
) -> None:
    """Commits are shared by what is under way; a failure is not."""
    endpoint = server.endpoint(concurrency=16, model="poison")
    asked = [*requests(8), request("poison"), *requests(20)[8:]]
    poisoned = asked[8].key(endpoint)

    def reader(key: str, status: int, body: bytes):
        return 1 / 0 if key == poisoned else read(key, status, body)

    with monkeypatch.context() as broken:
        broken.setattr("recdistill.asking.keeping.read", reader)
        with pytest.raises(ZeroDivisionError):
            Asker(endpoint, ledger).ask(asked)
    lines = server.about(asked, endpoint)
    assert len(ledger.answers(one.key(endpoint) for one in asked)) == len(lines) >= 9


def test_the_client_below_repeats_nothing(server, ledger, monkeypatch) -> None:
    """One call of the wire is one request at the server, whatever happens to it."""
    sent = []
    once = Wire.chat

    async def counted(self, body: str, attempt: str):
        sent.append(attempt)
        return await once(self, body, attempt)

    monkeypatch.setattr(Wire, "chat", counted)
    asked = [request(f"[[{fault} x9]] how often?") for fault in ("reset", "503", "cut-body")]
    endpoint = server.endpoint(model="once")
    Asker(endpoint, ledger).ask(asked)
    lines = server.about(asked, endpoint)
    assert sorted(sent) == sorted(line["id"] for line in lines)
    assert len(sent) == 9


def test_a_connection_that_idled_is_not_used_again() -> None:
    """Servers close theirs after some seconds, and what is sent in that moment is lost and has to be booked."""
    opened = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def ask(pauses: list[float]) -> int:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            endpoint = EndpointConfig(base_url=f"http://127.0.0.1:{port}/v1", model="m")
            async with Wire(endpoint) as wire:
                for pause in pauses:
                    await wire.call("GET", "batches")
                    await asyncio.sleep(pause)
            for writer in opened:
                writer.close()
            return len(opened)

    assert asyncio.run(ask([0.0, 0.0])) == 1
    opened.clear()
    assert asyncio.run(ask([2.5, 0.0])) == 2
