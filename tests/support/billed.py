"""The billing server as a fixture: started in a process of its own, and asked for its bill."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from recdistill.asking import EndpointConfig, Ledger, Message, Prices, Request
from recdistill.asking.requests import Question

SERVER = Path(__file__).parents[1] / "asking" / "billing.py"
PRICES = Prices(input=0.15, output=0.6)
"""The server's own default prices, a million tokens."""


class BillingServer:
    """`with BillingServer(key="…", errors=0.05) as server:`"""

    def __init__(self, **options: object) -> None:
        named = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
        flags = [[name] if value is True else [name, str(value)] for name, value in named]
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), *(word for flag in flags for word in flag)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def endpoint(self, **settings: Any) -> EndpointConfig:
        """This server, asked impatiently."""
        given = {"model": "teacher", "prices": PRICES, "timeout": 5.0, "backoff": 0.02, **settings}
        return EndpointConfig(base_url=f"{self.url}/v1", **given)

    def told(self) -> Mapping[str, Any]:
        """Everything that the server counted."""
        return httpx.get(f"{self.url}/bill").json()

    def lines(self) -> list[dict[str, Any]]:
        """Every request that it saw."""
        return self.told()["lines"]

    def about(self, asked: Iterable[Request], endpoint: EndpointConfig) -> list[dict[str, Any]]:
        """What it saw of these requests, in order."""
        bodies = [Question(one, endpoint).body for one in asked]
        ours = {hashlib.sha256(body.encode()).hexdigest() for body in bodies}
        return [line for line in self.lines() if line["question"] in ours]


def attempts(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """What the ledger says of each attempt that left, by the id that the server was told."""
    rows = ledger.database.rows("SELECT * FROM attempts WHERE calls > 0")
    return {row["id"]: dict(row) for row in rows}


def disagreements(
    ledger: Ledger, lines: Iterable[dict[str, Any]], crashed: bool = False
) -> list[str]:
    """Where the ledger's books and the server's differ, attempt by attempt.

    Where an answer told its cost, both must have exactly that. What an attempt without an answer was charged nobody
    can know; the ledger must have booked at least as much. A process that `crashed` may have written down an attempt
    that never left; otherwise both know the same attempts.
    """
    booked, charged = attempts(ledger), {line["id"]: line for line in lines}
    found = [f"{attempt} is not in the ledger" for attempt in charged.keys() - booked.keys()]
    if not crashed:
        found += [f"{attempt} never arrived" for attempt in booked.keys() - charged.keys()]
    for attempt in booked.keys() & charged.keys():
        ours, theirs = booked[attempt], charged[attempt]
        mine, real = (
            (ours["tokens"], ours["picos"]),
            (theirs["prompt"] + theirs["completion"], theirs["picos"]),
        )
        if mine != real if ours["settled"] else (mine[0] < real[0] or mine[1] < real[1]):
            found.append(f"{attempt} is booked at {mine}, and was charged {real}")
    return found


def assert_bills_agree(ledger: Ledger, lines: Iterable[dict[str, Any]]) -> None:
    """Ledger and server have the same books."""
    assert disagreements(ledger, lines) == []


def request(text: str, max_tokens: int | None = 50, **options: Any) -> Request:
    """A question."""
    bound = {} if max_tokens is None else {"max_tokens": max_tokens}
    return Request((Message("user", text),), {"temperature": 0, **bound, **options})


def requests(number: int, say: str = "question") -> Sequence[Request]:
    """Many different questions."""
    return [request(f"{say} {index}") for index in range(number)]
