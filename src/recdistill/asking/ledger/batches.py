"""Batches in the ledger: written down before they are submitted, found again after any crash."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from recdistill.asking.costs import BudgetConfig
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.ledger.attempts import Ending
from recdistill.asking.ledger.ledger import Hindrance, Ledger
from recdistill.asking.requests import Question


@dataclass
class Batch:
    """Questions that were, or are about to be, sent together."""

    key: str
    """Ours; the endpoint keeps it in the batch's metadata."""
    made_at: float
    """Seconds since 1970."""
    remote: str | None = None
    """The endpoint's name for it."""
    attempts: dict[str, str] = field(default_factory=dict)
    """Those without an answer so far: the key of the question of each."""


class Batches:
    """The batches of an endpoint in a ledger."""

    def __init__(self, ledger: Ledger, endpoint: EndpointConfig) -> None:
        self._ledger, self._database, self._endpoint = ledger, ledger.database, endpoint

    def prepare(
        self, questions: Iterable[Question], account: str, budget: BudgetConfig
    ) -> tuple[Batch, dict[str, Hindrance]]:
        """Write down a batch of the questions that may be sent; all of it, or nothing.

        Returns:
            the batch (empty, and not written, if there are none), and by key why the others may not.
        """
        batch, hindered = Batch(uuid.uuid4().hex, time.time()), dict[str, Hindrance]()
        with self._database.change() as db:
            for question in questions:
                sent = self._ledger.send(question, account, budget, batch.key)
                if isinstance(sent, Hindrance):
                    hindered[question.key] = sent
                else:
                    batch.attempts[sent] = question.key
            if batch.attempts:
                db.execute(
                    "INSERT INTO batches (key, endpoint, owner, made_at) VALUES (?, ?, ?, ?)",
                    (batch.key, self._endpoint.identity, self._ledger.owner.name, batch.made_at),
                )
        return batch, hindered

    def submitted(self, batch: Batch, remote: str) -> None:
        """Remember what the endpoint calls it."""
        batch.remote = remote
        with self._database.change() as db:
            db.execute("UPDATE batches SET remote = ? WHERE key = ?", (remote, batch.key))

    def adopt(self, keys: Iterable[str]) -> list[Batch]:
        """Take over the batches with any of these questions that nobody living waits for."""
        wanted = set(keys)
        with self._database.change():
            orphans = [batch for batch in self._orphans() if wanted & set(batch.attempts.values())]
            for batch in orphans:
                self._take(batch)
        return orphans

    def close(self, batch: Batch, ending: Ending, why: str) -> None:
        """Nothing more will come of it: what has no answer ends so, and may be asked again."""
        with self._database.change() as db:
            for attempt, key in batch.attempts.items():
                self._ledger.fail(attempt, ending, why)
                self._ledger.give_up(key)
            db.execute("UPDATE batches SET done = 1, owner = NULL WHERE key = ?", (batch.key,))

    def _orphans(self) -> list[Batch]:
        found = self._database.rows(
            "SELECT key, made_at, remote, owner FROM batches WHERE NOT done AND endpoint = ?",
            self._endpoint.identity,
        )
        return [
            Batch(key, made_at, remote, self._open(key))
            for key, made_at, remote, owner in found
            if owner is None or not self._ledger.owner.lives(owner)
        ]

    def _open(self, key: str) -> dict[str, str]:
        rows = self._database.rows(
            "SELECT id, key FROM attempts WHERE batch = ? AND ending = 'open'", key
        )
        return dict(tuple(row) for row in rows)

    def _take(self, batch: Batch) -> None:
        ours = self._ledger.owner.name
        with self._database.change() as db:
            db.execute("UPDATE batches SET owner = ? WHERE key = ?", (ours, batch.key))
            db.executemany(
                "UPDATE questions SET owner = ? WHERE key = ?",
                [(ours, key) for key in batch.attempts.values()],
            )
