"""Labelling that is killed again and again: what the server charged, and what it should have."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billed import BillingServer

from recdistill.asking import EndpointConfig

LABELLER = Path(__file__).parents[1] / "asking" / "labeller.py"


@dataclass(frozen=True)
class Outcome:
    """What a labelling that was killed came to."""

    kills: int
    """Of living processes."""
    labels: str
    """The file that it wrote at last."""
    charged: int
    """Answers that the server charged."""
    again: int
    """Of them, those for questions whose answer had been received by the time of an earlier kill."""


def start(
    ledger: Path, endpoint: EndpointConfig, number: int, out: Path
) -> subprocess.Popen[bytes]:
    """A labeller in a process of its own."""
    words = [ledger, endpoint.model_dump_json(), number, out]
    return subprocess.Popen([sys.executable, str(LABELLER), *map(str, words)])


def finish(process: subprocess.Popen[bytes]) -> None:
    assert process.wait() == 0


def read(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    """What anyone can read in the file, while others write it."""
    if not ledger.exists():
        return []
    with closing(sqlite3.connect(ledger, timeout=60)) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:  # it is being made
            return []


def received(ledger: Path) -> set[str]:
    """The questions that have an answer."""
    return {key for (key,) in read(ledger, "SELECT key FROM questions WHERE answer IS NOT NULL")}


def kill_after(
    process: subprocess.Popen[bytes], ledger: Path, answers: int, draw: random.Random
) -> bool:
    """Kill it some moment after so many questions have an answer; whether it was alive."""
    count = "SELECT COUNT(*) FROM attempts WHERE ending = 'answered'"
    while process.poll() is None and sum(number for (number,) in read(ledger, count)) < answers:
        time.sleep(0.05)
    time.sleep(draw.uniform(0.0, 0.05))
    process.kill()
    return process.wait() == -9


def label_with_kills(
    server: BillingServer,
    endpoint: EndpointConfig,
    number: int,
    kills: int,
    folder: Path,
    seed: int = 0,
) -> Outcome:
    """Label, killed at random moments, until it is done."""
    ledger, out, draw = folder / "ledger.sqlite", folder / "labels.json", random.Random(seed)
    known_at: list[tuple[int, set[str]]] = []
    for moment in sorted(draw.sample(range(number - number // 20), kills)):
        process = start(ledger, endpoint, number, out)
        if kill_after(process, ledger, max(moment, 1), draw):
            known_at.append((len(server.lines()), received(ledger)))
    finish(start(ledger, endpoint, number, out))
    return _outcome(server.lines(), known_at, ledger, out)


def _outcome(
    lines: list[Mapping[str, Any]], known_at: list[tuple[int, set[str]]], ledger: Path, out: Path
) -> Outcome:
    key_of = dict(read(ledger, "SELECT id, key FROM attempts"))
    again = sum(
        key_of[line["id"]] in known
        for begin, known in known_at
        for line in lines[begin:]
        if line["picos"]
    )
    charged = sum(line["picos"] > 0 for line in lines)
    return Outcome(len(known_at), out.read_text(), charged, again)
