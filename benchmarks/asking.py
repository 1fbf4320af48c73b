"""Paying once: labels asked by a process that is killed again and again, faults, budgets, and what a server charged.

The server is the tests' own (`tests/asking/billing.py`), in a process of its own; it counts and charges every request.

    python benchmarks/asking.py [--size small|full]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

sys.path.insert(0, str(ROOT / "tests" / "support"))

from billed import BillingServer, disagreements, request, requests
from dear import ask_with_random_budgets
from killed import finish as wait_for
from killed import label_with_kills, start

from recdistill.asking import Answer, Asker, Ledger, Request
from recdistill.errors import EndpointError

LABELS = {"small": 600, "full": 10_000}
KILLS = {"small": 15, "full": 50}
CALLS = {"small": 600, "full": 5_000}
COPIES = {"small": 2, "full": 20}
"""Of each fault."""
BUDGETS = {"small": 250, "full": 1_000}
CONCURRENCY = 16
LATENCY = 0.05
"""Mean seconds until an answer, so that requests are under way when a process is killed."""
FAULTS = (
    *("408", "409", "425", "429", "429-after", "429-date", "500", "502", "503", "503-after", "529"),
    *("400", "413", "422", "hang", "drip", "reset", "reset-midway", "cut-body"),
    *(
        "cut-json",
        "wrong-schema",
        "html",
        "empty",
        "error-object",
        "no-usage",
        "refusal",
        "filtered",
    ),
)
RUNS = 100
"""Of a faulty part, at most: a run stops at sixteen bad ones in a row, and leaves what may pass to the next."""

Found = tuple[dict[str, Any], list[Claim]]


def kills(size: str, folder: Path) -> Found:
    """Labels from a process that is killed, beside labels from one that is not."""
    number, most = LABELS[size], KILLS[size]
    began = time.perf_counter()
    with BillingServer(latency=LATENCY) as server:
        endpoint = server.endpoint(concurrency=CONCURRENCY, known_as="labels", timeout=120.0)
        outcome = label_with_kills(server, endpoint, number, most, folder, seed=1)
        seconds = time.perf_counter() - began
        with Ledger(folder / "ledger.sqlite") as ledger:
            differing = disagreements(ledger, server.lines(), crashed=True)
    with BillingServer(latency=LATENCY) as server:
        began, calm = time.perf_counter(), folder / "calm.json"
        endpoint = server.endpoint(concurrency=CONCURRENCY, known_as="labels", timeout=120.0)
        wait_for(start(folder / "calm.sqlite", endpoint, number, calm))
        calm_seconds = time.perf_counter() - began
    extra = outcome.charged - number
    row = {
        "labels": number,
        "kills": outcome.kills,
        "charged": outcome.charged,
        "seconds": seconds,
        "uninterrupted": calm_seconds,
    }
    return row, [
        Claim(f"kills of living processes during {number:,} labels", outcome.kills, most),
        Claim(
            "calls charged again though their answer had been received", outcome.again, 0, "at most"
        ),
        Claim("extra calls a kill", extra / outcome.kills, CONCURRENCY, "at most"),
        Claim(
            "labels are those of an uninterrupted run", float(outcome.labels == calm.read_text()), 1
        ),
        Claim(
            "attempts booked otherwise than charged, after all kills", len(differing), 0, "at most"
        ),
    ]


def run_until_answered(asker: Asker, asked: Sequence[Request]) -> tuple[int, int]:
    """How many runs it took, and how many requests have come to an answer then."""
    runs, answers = 0, list[Answer | None]()
    while runs < RUNS and not (answers and all(answer and answer.lasting for answer in answers)):
        runs += 1
        with suppress(EndpointError):
            answers = asker.ask(asked)
    return runs, sum(bool(answer and answer.lasting) for answer in answers)


def faults(size: str, folder: Path) -> Found:
    """Every fault a few times, many at once."""
    asked = [
        request(f"[[{fault} x1]] copy {copy}") for copy in range(COPIES[size]) for fault in FAULTS
    ]
    began = time.perf_counter()
    with BillingServer() as server, Ledger(folder / "faults.sqlite") as ledger:
        asker = Asker(server.endpoint(concurrency=CONCURRENCY, timeout=5.0), ledger)
        runs, ended = run_until_answered(asker, asked)
        lines, bill = server.lines(), asker.bill()
        differing = disagreements(ledger, lines)
    row = {
        "calls": len(asked),
        "runs": runs,
        "attempts": len(lines),
        "seconds": time.perf_counter() - began,
    }
    return row, [
        Claim(
            f"attempts booked otherwise than charged, over {len(FAULTS)} faults",
            len(differing),
            0,
            "at most",
        ),
        Claim(
            "attempts in the ledger as a share of those at the server", bill.calls / len(lines), 1.0
        ),
        Claim("share of faulty requests that came to an answer", ended / len(asked), 1.0),
    ]


def errors(size: str, folder: Path) -> Found:
    """One request in twenty fails; then one question changes."""
    calls = CALLS[size]
    began = time.perf_counter()
    with BillingServer(errors=0.05, seed=1) as server, Ledger(folder / "errors.sqlite") as ledger:
        asker = Asker(server.endpoint(concurrency=CONCURRENCY, timeout=60.0), ledger)
        answers = asker.ask(requests(calls))
        seconds = time.perf_counter() - began
        lines = server.lines()
        paid = asker.bill().paid.picos
        run_until_answered(asker, requests(calls))
        before = asker.bill().answers
        run_until_answered(asker, [*requests(calls)[1:], request("question 0, edited")])
        edited = asker.bill().answers - before
    charged = sum(line["picos"] for line in lines if line["delivered"])
    good = sum(bool(answer and answer.text) for answer in answers)
    row = {"calls": calls, "attempts": len(lines), "seconds": seconds, "calls/s": calls / seconds}
    return row, [
        Claim("attempts a call at 5 % errors", len(lines) / calls, 1.10, "at most"),
        Claim("share of calls that got an answer at 5 % errors", good / calls, 0.99),
        Claim(
            "picos paid beside those charged for delivered answers",
            abs(paid - charged),
            0,
            "at most",
        ),
        Claim(f"answers paid after one of {calls:,} questions was edited", edited, 1, "at most"),
    ]


def budgets(size: str, folder: Path) -> Found:
    """Random budgets, and answers that cost anything up to the worst."""
    began = time.perf_counter()
    found = ask_with_random_budgets(BUDGETS[size], folder / "budgets.sqlite", seed=1)
    row = {"budgets": found.budgets, "answered": found.answered, "left open": found.left_open}
    return row | {"seconds": time.perf_counter() - began}, [
        Claim(f"overruns of {BUDGETS[size]:,} random budgets", found.overruns, 0, "at most"),
        Claim("accounts on which less is booked than was charged", found.misbooked, 0, "at most"),
    ]


def parts() -> Iterator[tuple[str, Callable[[str, Path], Found]]]:
    yield from (("kills", kills), ("faults", faults), ("5 % errors", errors), ("budgets", budgets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=LABELS, default="small")
    size = parser.parse_args().size
    rows: list[dict[str, Any]] = []
    claims: list[Claim] = []
    for name, measure in parts():
        with tempfile.TemporaryDirectory() as folder:
            row, found = measure(size, Path(folder))
        rows.append({"part": name, **row})
        claims += found
    finish("asking", size, rows, claims)


if __name__ == "__main__":
    main()
