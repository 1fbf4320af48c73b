"""Batches: answers joined by id, each paid once, and adopted whatever crashed in between."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from billed import BillingServer, assert_bills_agree, request, requests

from recdistill.asking import Asker, BatchConfig, BudgetConfig, EndpointConfig, Ledger
from recdistill.asking.batching import RemoteBatches, batching
from recdistill.asking.ledger import bill
from recdistill.asking.wire import Reply, Wire
from recdistill.errors import EndpointError

NOWHERE = EndpointConfig(base_url="http://localhost:1", model="m")
BATCH = BatchConfig(size=10, poll_seconds=0.02)


def created(server: BillingServer) -> int:
    return sum(line.get("path") == "POST /v1/batches" for line in server.lines())


def asked_in_batches(server: BillingServer) -> list[dict]:
    return [line for line in server.lines() if line.get("batch")]


@pytest.fixture
def own_server():
    with BillingServer() as running:
        yield running


def test_a_batch_says_what_single_requests_say(server, own_server, ledger) -> None:
    """The answers come back in another order, and are joined by id."""
    one_by_one = Asker(server.endpoint(known_as="single"), ledger).ask(requests(25))
    asker = Asker(own_server.endpoint(known_as="batches", batch=BATCH), ledger)
    together = asker.ask(requests(25))
    assert [answer.text for answer in together] == [answer.text for answer in one_by_one]
    assert created(own_server) == 3
    assert asker.ask(requests(25)) == together
    assert created(own_server) == 3
    assert asker.bill().calls == len(asked_in_batches(own_server)) == 25


@pytest.mark.parametrize(
    ("fault", "lines", "kind"),
    [
        ("missing x1", 2, "text"),
        ("cut x1", 2, "text"),
        ("expired x1", 1, "text"),
        ("duplicate x9", 1, "text"),
        ("500 x1", 2, "text"),
        ("429 x9", 3, "passing"),
        ("400 x9", 1, "lasting"),
        ("missing x9", 3, "passing"),
    ],
)
def test_faults_within_a_batch(server, ledger, fault, lines, kind) -> None:
    endpoint = server.endpoint(batch=BATCH, model=f"batch {fault}")
    asked = [request(f"[[{fault}]] among others"), *requests(3)]
    asker = Asker(endpoint, ledger)
    answers = asker.ask(asked)
    assert all(answer.text for answer in answers[1:])
    strange = answers[0]
    assert (kind == "text") == (strange.error is None) == (strange.text is not None)
    assert strange.lasting == (kind != "passing")
    if kind == "text":
        assert strange.text.startswith("said ")  # the first of two lines with one id
    billed = server.about(asked, endpoint)
    assert len(billed) == lines + 3
    assert_bills_agree(ledger, billed)


def dies(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["upload", "create", "submitted", "look", "lines", "close"])
def test_a_batch_is_adopted_whatever_crashed(own_server, tmp_path, monkeypatch, moment) -> None:
    """The process dies before or after each step; the next one finds what was submitted, and pays nothing again."""
    monkeypatch.setattr(batching, "LISTED_AFTER", 0.2)
    endpoint = own_server.endpoint(batch=BATCH)
    where = batching.Batches if moment in ("submitted", "close") else RemoteBatches
    first = Ledger(tmp_path / "ledger.sqlite")
    with monkeypatch.context() as crash:
        crash.setattr(where, moment, dies)
        crash.setattr(first, "release", lambda: None)  # SIGKILL tidies nothing up
        with pytest.raises(KeyboardInterrupt):
            Asker(endpoint, first, account="run").ask(requests(8))
    first.close()
    with Ledger(tmp_path / "ledger.sqlite") as second:
        # It need not ask in batches itself to adopt one.
        asker = Asker(own_server.endpoint(batch=None), second, account="run")
        answers = asker.ask(requests(8))
        assert all(answer.text for answer in answers)
        alone = [
            line for line in own_server.lines() if "path" not in line and not line.get("batch")
        ]
        never_created = moment in ("upload", "create")
        assert len(alone) == (8 if never_created else 0)
        assert len(asked_in_batches(own_server)) == (0 if never_created else 8)
        assert asker.bill().calls == 8
        assert_bills_agree(second, [*alone, *asked_in_batches(own_server)])


def test_a_batch_whose_creation_is_not_heard_of_is_created_once(ledger) -> None:
    with BillingServer(
        batch_faults="POST batches:lost:2,POST files:503:1,GET batches:500:1"
    ) as server:
        answers = Asker(server.endpoint(batch=BATCH), ledger).ask(requests(5))
        assert all(answer.text for answer in answers)
        assert created(server) == 1
        assert len(asked_in_batches(server)) == 5


def test_an_older_batch_is_found_on_a_later_page(ledger, monkeypatch) -> None:
    with BillingServer() as server:
        endpoint = server.endpoint(batch=BATCH)
        with monkeypatch.context() as crash:
            crash.setattr(batching.Batches, "submitted", dies)
            with pytest.raises(KeyboardInterrupt):
                Asker(endpoint, ledger).ask(requests(3))
        Asker(endpoint, ledger).ask(requests(50, "another"))
        assert created(server) == 6
        assert all(Asker(endpoint, ledger).ask(requests(3)))
        assert created(server) == 6


def test_a_batch_that_the_endpoint_will_not_work_on_is_free(ledger) -> None:
    with BillingServer(batch_ends="failed") as server:
        asker = Asker(server.endpoint(batch=BATCH), ledger)
        with pytest.raises(EndpointError, match="no such window"):
            asker.ask(requests(5))
        assert asker.bill().calls == 0


def test_an_endpoint_without_batches(ledger) -> None:
    with BillingServer(batch_faults="POST files:404:9") as server:
        asker = Asker(server.endpoint(batch=BATCH), ledger)
        with pytest.raises(EndpointError, match="turns requests away"):
            asker.ask(requests(5))
        assert asker.bill().calls == 0
        assert all(Asker(server.endpoint(), ledger).ask(requests(5)))


def test_a_budget_bounds_batches(server, ledger) -> None:
    """What the worst case of one batch leaves over is spent on the next."""
    endpoint = server.endpoint(batch=BATCH, model="batch budget")
    asker = Asker(endpoint, ledger, BudgetConfig(tokens=2_500))
    answers = asker.ask(requests(40))
    answered = sum(answer is not None for answer in answers)
    assert answered == asker.bill().calls
    assert 2_500 // asker.plan([request("question 99")]).at_most.tokens < answered < 40
    assert asker.bill().paid.tokens <= 2_500
    assert_bills_agree(ledger, server.about(requests(40), endpoint))


def submitted_and_left(server: BillingServer, ledger: Ledger, monkeypatch) -> None:
    """A run submits a batch of eight and dies."""
    with monkeypatch.context() as crash:
        crash.setattr(RemoteBatches, "look", dies)
        with pytest.raises(KeyboardInterrupt):
            Asker(server.endpoint(batch=BATCH), ledger).ask(requests(8))


@pytest.mark.parametrize("settings", [None, BATCH], ids=["one by one", "in batches"])
@pytest.mark.parametrize("fault", ["GET batches:404:1", "GET batches:410:1", "GET files:404:1"])
def test_a_batch_that_vanished_blocks_nobody(ledger, monkeypatch, fault, settings) -> None:
    """The batch, or its results, are not kept any more: perhaps it was charged, and its questions are asked again."""
    monkeypatch.setattr(batching, "LISTED_AFTER", 0.2)
    with BillingServer(batch_faults=fault, batch_looks=0) as server:
        submitted_and_left(server, ledger, monkeypatch)
        time.sleep(0.3)  # longer than a batch may be unknown because it is young
        asker = Asker(server.endpoint(batch=settings), ledger)
        assert all(answer.text for answer in asker.ask(requests(8)))
        assert created(server) == (1 if settings is None else 2)
        assert asker.ask(requests(8))
        assert asker.bill().answers == 8
    everybody = bill(ledger)
    assert (everybody.answers, everybody.lost, everybody.maybe.calls) == (8, 8, 8)


def test_a_young_batch_that_is_not_known_everywhere_yet_is_waited_for(ledger) -> None:
    with BillingServer(batch_faults="GET batches:404:2", batch_looks=0) as server:
        asker = Asker(server.endpoint(batch=BATCH), ledger)
        assert all(answer.text for answer in asker.ask(requests(5)))
        assert created(server) == 1
        assert asker.bill().lost == 0


def test_a_batch_that_nobody_can_list_was_never_created(ledger, monkeypatch) -> None:
    """An endpoint takes files and knows no batches."""
    monkeypatch.setattr(batching, "LISTED_AFTER", 0.2)
    with BillingServer(batch_faults="POST batches:404:1,GET batches:404:2") as server:
        with pytest.raises(EndpointError, match="turns requests away"):
            Asker(server.endpoint(batch=BATCH), ledger).ask(requests(3))
        assert all(answer.text for answer in Asker(server.endpoint(), ledger).ask(requests(3)))
    assert bill(ledger).lost == 0


@pytest.mark.parametrize("path", ["POST files", "GET batches"])
def test_who_is_sent_away_for_a_day_does_not_wait_for_a_batch(ledger, path) -> None:
    with BillingServer(batch_faults=f"{path}:429-far:1") as server:
        with pytest.raises(EndpointError, match="wants no requests for 86,400 s"):
            Asker(server.endpoint(batch=BATCH), ledger).ask(requests(3))
        assert all(answer.text for answer in Asker(server.endpoint(), ledger).ask(requests(3)))


class Says(Wire):
    """A connection to somebody who always says the same."""

    def __init__(self, told: Any) -> None:
        super().__init__(NOWHERE)
        self.told, self.calls = told, 0

    async def call(self, method: str, path: str, longest: int = 0, **parts: Any) -> Reply:
        self.calls += 1
        assert self.calls < 10, "it is asked for ever"
        return Reply(200, json.dumps(self.told).encode())


def remote(told: Any) -> RemoteBatches:
    return RemoteBatches(NOWHERE, Says(told))


@pytest.mark.parametrize("told", [{}, [], "file-1", {"id": None}, {"id": ["x"]}])
def test_who_takes_a_file_and_gives_it_no_name_makes_no_sense(told) -> None:
    for verb in (remote(told).upload(b""), remote(told).create("file-1", "ours")):
        with pytest.raises(EndpointError, match="makes no sense: a file or a batch without an id"):
            asyncio.run(verb)


@pytest.mark.parametrize(
    "told",
    [
        {"data": [{"id": "b", "metadata": None}], "has_more": True},
        {"data": ["b", None, {"id": 3, "metadata": "ours"}], "has_more": True},
        {"data": {"id": "b"}, "has_more": True},
        {"data": [], "has_more": True},
        "<html>",
    ],
)
def test_lists_of_batches_without_end_or_form_hold_none_of_ours(told) -> None:
    assert asyncio.run(remote(told).find("ours")) is None
