"""How fast and how many at once, and how often again."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from billed import BillingServer, assert_bills_agree, request, requests
from hypothesis import given
from hypothesis import strategies as st

from recdistill.asking import Asker, EndpointConfig
from recdistill.asking.pace import Meter, Pace
from recdistill.asking.retries import RetryBudget, Verdict, backoff, retry_after, verdict


@pytest.fixture
def own_server():
    with BillingServer(latency=0.02) as running:
        yield running


def test_no_more_at_once_than_allowed(own_server, ledger) -> None:
    Asker(own_server.endpoint(concurrency=5), ledger).ask(requests(40))
    assert 2 <= own_server.told()["most_under_way"] <= 5


def test_requests_are_spread_over_the_minute(own_server, ledger) -> None:
    endpoint = own_server.endpoint(concurrency=10, requests_per_minute=1200)
    began = time.monotonic()
    Asker(endpoint, ledger).ask(requests(21))
    assert time.monotonic() - began >= 1.0  # twenty gaps of 60 / 1200 s
    assert len(own_server.lines()) == 21


def test_what_is_sent_again_keeps_to_the_pace_too(own_server, ledger) -> None:
    """Every question fails once: twenty requests, nineteen gaps of 60 / 600 s."""
    endpoint = own_server.endpoint(concurrency=10, requests_per_minute=600, backoff=0.001)
    began = time.monotonic()
    answers = Asker(endpoint, ledger).ask([request(f"[[500 x1]] {one}") for one in range(10)])
    assert time.monotonic() - began >= 1.9
    assert all(answer.text for answer in answers)
    assert len(own_server.lines()) == 20


def test_the_pace_is_kept_from_one_asking_to_the_next() -> None:
    endpoint = EndpointConfig(base_url="http://h/v1", model="kept pace", requests_per_minute=120)
    began = time.monotonic()
    for _ in range(3):
        asyncio.run(Pace(endpoint).metered(1))
    assert (
        time.monotonic() - began >= 1.0
    )  # two gaps of 60 / 120 s, though every asking has a pace of its own


def test_tokens_are_spread_by_what_they_turn_out_to_be() -> None:
    """600 a minute are ten a second: 2 + 3 tokens said, one more found out, and the third may go after 0.6 s."""

    async def gone() -> float:
        meter, began = Meter(600), time.monotonic()
        await meter.wait(2)
        await meter.wait(3)
        meter.correct(1)
        await meter.wait(1)
        return time.monotonic() - began

    assert 0.6 <= asyncio.run(gone()) < 5.0


def test_the_endpoint_is_asked_less_at_once_while_it_is_too_much() -> None:
    async def limits() -> list[float]:
        pace = Pace(EndpointConfig(base_url="http://h/v1", model="m", concurrency=16))
        seen, sent_at = [], time.monotonic()
        for _ in range(16):  # sixteen were under way: they halve it once
            pace.too_much(sent_at)
        seen.append(pace.limit)
        pace.too_much(time.monotonic() + 1)
        seen.append(pace.limit)
        for _ in range(4):  # a round of good answers: one more
            pace.good()
        seen.append(pace.limit)
        for _ in range(1_000):
            pace.good()
        return [*seen, pace.limit]

    eight, four, five, most = asyncio.run(limits())
    assert (eight, four, most) == (8.0, 4.0, 16.0)
    assert five == pytest.approx(5.0, abs=0.2)


def test_few_attempts_at_one_error_in_twenty(ledger) -> None:
    """600 questions, 5 % of the requests fail: they get their answers for at most 1.10 attempts each."""
    with BillingServer(errors=0.05, seed=3) as server:
        asker = Asker(server.endpoint(concurrency=16, timeout=60.0), ledger)
        answers = asker.ask(requests(600))
        lines = server.lines()
    assert (
        sum(answer.text is not None for answer in answers) >= 599
    )  # one in 8,000 fails three times
    assert 615 <= len(lines) <= 660
    assert_bills_agree(ledger, lines)


def test_an_outage_is_not_fed(ledger) -> None:
    """Half of all requests fail: at most a tenth more are sent, and what stays open is open for the next run."""
    with BillingServer(errors=0.5, seed=3) as server:
        asker = Asker(server.endpoint(concurrency=8, timeout=60.0), ledger)
        answers = asker.ask(requests(200))
        lines = server.lines()
        assert len(lines) <= 220
        passing = [answer for answer in answers if answer.error]
        assert 50 < len(passing) < 150
        assert not any(answer.lasting for answer in passing)
        assert_bills_agree(ledger, lines)


@given(st.integers(0, 300), st.integers(0, 300))
def test_retries_are_a_tenth_of_the_calls_or_the_first_ten(calls: int, wanted: int) -> None:
    budget = RetryBudget(calls)
    assert sum(budget.take() for _ in range(wanted)) == min(wanted, max(10, calls // 10))


def test_waits_are_drawn_evenly_from_zero_up() -> None:
    random.seed(5)
    for attempt, longest in ((1, 2.0), (2, 4.0)):
        waits = [backoff(attempt, 2.0, 0.0) for _ in range(4_000)]
        assert min(waits) >= 0.0
        assert max(waits) <= longest
        assert sum(waits) / len(waits) == pytest.approx(longest / 2, rel=0.05)
    assert min(backoff(1, 2.0, 30.0) for _ in range(100)) >= 30.0


def date(**later: float) -> str:
    """As HTTP writes it: a moment of 2026, or so much later."""
    return format_datetime(
        datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC) + timedelta(**later), usegmt=True
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": date(seconds=90), "date": date()}, 90.0),
        ({"retry-after": date(hours=-1)}, 0.0),
        ({}, 0.0),
        *(({"retry-after": nonsense}, 0.0) for nonsense in ("soon", "-5", "nan", "1e9", "")),
    ],
)
def test_retry_after(headers, seconds) -> None:
    assert retry_after(headers) == seconds


def test_a_date_is_read_by_our_clock_where_the_endpoint_shows_none() -> None:
    until = datetime.now(UTC) + timedelta(seconds=60)
    assert 55 < retry_after({"retry-after": format_datetime(until, usegmt=True)}) <= 60


@pytest.mark.parametrize(
    ("statuses", "judged"),
    [
        ((200, 201, 400, 410, 413, 422, 451), Verdict.ANSWER),
        ((408, 409, 425, 429, 500, 501, 502, 503, 504, 520, 529), Verdict.AGAIN),
        ((301, 302, 307, 308, 401, 402, 403, 404, 405), Verdict.STOP),
    ],
)
def test_what_statuses_mean(statuses, judged) -> None:
    assert {verdict(status, b"") for status in statuses} == {judged}


GEMINI = b"""[{
  "error": {
    "code": 400,
    "message": "API key not valid. Please pass a valid API key.",
    "status": "INVALID_ARGUMENT",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
  }
}]"""


@pytest.mark.parametrize(
    "body",
    [
        GEMINI,
        b'{"error": {"message": "Incorrect API key provided: [secret].", "code": "invalid_api_key"}}',
        b'{"error":{"message":"Please provide an API key."}}',
        b'{"error": {"message": "denied", "code": "invalid_api_key"}}',
    ],
)
def test_a_400_about_the_key_is_about_every_question(body) -> None:
    assert verdict(400, body) is Verdict.STOP
    assert verdict(200, body) is Verdict.ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "The longest context is 512 tokens."}}',
        b'{"error": {"message": "[(missing, (body), API key not valid: a thriller)]"}}',
        rb'{"error": {"message": "unreadable: {\"message\": \"API key not valid\"}"}}',
        b"",
    ],
)
def test_a_400_about_one_question_is_about_that_one(body) -> None:
    """Also where it quotes a prompt that speaks of keys."""
    assert verdict(400, body) is Verdict.ANSWER


def test_one_bad_question_among_good_ones_is_asked_once(server, ledger) -> None:
    endpoint = server.endpoint(model="one bad")
    asked = [request("[[422 x9]] malformed"), *requests(20)]
    answers = Asker(endpoint, ledger).ask(asked)
    assert [answer.error is None for answer in answers] == [False] + [True] * 20
    assert len(server.about(asked, endpoint)) == 21
