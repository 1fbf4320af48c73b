"""What was asked, what came back and what it cost: one SQLite file that runs share.

A question goes from `planned` to `sent` to `received` (the raw answer is on the disk) to `parsed` (what it cost is
booked). Each step is a commit. Whoever finds a question `sent` by a dead owner takes it over; by a living one, waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

from recdistill.asking.costs import BudgetConfig, Cost, Usage
from recdistill.asking.ledger import attempts
from recdistill.asking.ledger.attempts import Ending, Raw
from recdistill.asking.ledger.database import Database
from recdistill.asking.ledger.owners import Owner
from recdistill.asking.requests import Question


class Hindrance(Enum):
    """Why a question is not sent now."""

    KNOWN = "its answer is there"
    BUSY = "someone else is asking it"
    BROKE = "the budget does not allow its worst case"
    STOPPED = "nothing more is sent"


def default_path() -> Path:
    """Where the ledger is that runs share: in the user's cache folder."""
    return platformdirs.user_cache_path("recdistill") / "asking" / "ledger.sqlite"


class Ledger:
    """The ledger at `path`; by default the one in the user's cache folder. Verbs are whole: done, or undone.

    Many may have a ledger open at once, in one process or several, each by an opening of their own.

    Raises:
        StorageError: on any verb: the disk or the file refused; what is there is unharmed.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self.database = Database(self.path)
        self.owner = Owner(self.path.with_name(self.path.name + ".owners"))
        self.owner.remove_dead()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, and of what is being asked."""
        self.database.close()
        self.owner.close()

    def plan(self, questions: Iterable[Question]) -> None:
        """Write down what will be asked."""
        lines = [(q.key, q.endpoint.identity, q.endpoint.model, q.body) for q in questions]
        with self.database.change() as db:
            db.executemany(
                "INSERT INTO questions (key, endpoint, model, request) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET request = excluded.request"
                " WHERE state = 'planned' AND request <> excluded.request",
                lines,
            )

    def answers(self, keys: Iterable[str]) -> list[Raw]:
        """The raw answers that are there, of these questions."""
        found = self.database.rows(
            "SELECT q.key, a.id, a.status, a.body, q.state = 'parsed'"
            " FROM questions q JOIN attempts a ON a.id = q.answer"
            " WHERE q.key IN (SELECT value FROM json_each(?)) AND q.state IN ('received', 'parsed')",
            json.dumps(list(keys)),
        )
        return [
            Raw(key, attempt, status, body, bool(parsed))
            for key, attempt, status, body, parsed in found
        ]

    def turned_down_otherwise(self, questions: Iterable[Question]) -> list[str]:
        """The keys of those questions whose answer is an error (by status) about other bytes than would be sent now:
        an answer is good whatever the schema, a complaint may have been about the schema."""
        bodies = {question.key: question.body for question in questions}
        found = self.database.rows(
            "SELECT q.key, q.request FROM questions q JOIN attempts a ON a.id = q.answer"
            " WHERE q.key IN (SELECT value FROM json_each(?)) AND a.status >= 400",
            json.dumps(list(bodies)),
        )
        return [key for key, request in found if request != bodies[key]]

    def hindrance(self, question: Question) -> Hindrance | None:
        """Why there is no need to send a planned question just now, the budget aside."""
        found = self.database.rows("SELECT state, owner FROM questions WHERE key = ?", question.key)
        state, owner = found[0]
        if state in ("received", "parsed"):
            return Hindrance.KNOWN
        if state == "planned":
            return None
        others = owner != self.owner.name and self.owner.lives(owner)
        return Hindrance.BUSY if others or self._awaited(question) else None

    def send(
        self, question: Question, account: str, budget: BudgetConfig, batch: str | None = None
    ) -> str | Hindrance:
        """Say that a planned question is about to be sent: it is ours now, and its worst case is booked.

        Returns:
            the attempt's id, or why it must not be sent.
        """
        with self.database.change() as db:
            hindrance = self.hindrance(question)
            if hindrance is not None:
                return hindrance
            if not budget.allows(self.spent(account) + question.worst):
                self.give_up(question.key)
                return Hindrance.BROKE
            attempt = attempts.begin(db, question, account, batch)
            db.execute(
                "UPDATE questions SET state = 'sent', owner = ? WHERE key = ?",
                (self.owner.name, question.key),
            )
            return attempt

    def receive(self, attempt: str, status: int, body: bytes) -> Raw:
        """Keep a raw answer; when this returns, it is on the disk and will not be asked for again."""
        with self.database.change() as db:
            raw = attempts.answered(db, attempt, status, body)
            db.execute(
                "UPDATE questions SET state = 'received', answer = ?, owner = NULL WHERE key = ?",
                (attempt, raw.key),
            )
        return raw

    def settle(self, costs: Iterable[tuple[str, Cost | None, Usage | None]]) -> None:
        """Book what answered attempts cost, as read from their answers; None leaves the worst case booked."""
        with self.database.change() as db:
            for attempt, cost, usage in costs:
                if cost is not None:
                    attempts.book(db, attempt, cost, usage)
                db.execute(
                    "UPDATE questions SET state = 'parsed' WHERE answer = ?1"
                    " AND key = (SELECT key FROM attempts WHERE id = ?1)",
                    (attempt,),
                )

    def fail(self, attempt: str, ending: Ending, why: str, status: int | None = None) -> None:
        """End an attempt that brought no answer; its question stays ours until it is given up."""
        with self.database.change() as db:
            attempts.failed(db, attempt, ending, why, status)

    def give_up(self, key: str) -> None:
        """Leave a question that is ours to whoever asks it next."""
        with self.database.change() as db:
            db.execute(
                "UPDATE questions SET state = 'planned', owner = NULL WHERE key = ? AND state = 'sent' AND owner = ?",
                (key, self.owner.name),
            )

    def release(self) -> None:
        """Wait for nothing any more: what we have sent may be asked again, and our batches adopted, by anyone."""
        ours = "SELECT key FROM questions WHERE state = 'sent' AND owner = ?"
        with self.database.change() as db:
            db.execute(
                f"UPDATE attempts SET ending = 'lost' WHERE ending = 'open' AND batch IS NULL AND key IN ({ours})",
                (self.owner.name,),
            )
            db.execute(
                "UPDATE questions SET state = 'planned', owner = NULL WHERE state = 'sent' AND owner = ? AND NOT EXISTS"
                " (SELECT 1 FROM attempts a WHERE a.key = questions.key AND a.ending = 'open')",
                (self.owner.name,),
            )
            db.execute(
                "UPDATE batches SET owner = NULL WHERE owner = ? AND NOT done", (self.owner.name,)
            )

    def reopen(self, keys: Iterable[str]) -> None:
        """Forget the answers to these questions, so that they are asked, and paid for, once more."""
        with self.database.change() as db:
            db.execute(
                "UPDATE questions SET state = 'planned', answer = NULL"
                " WHERE state IN ('received', 'parsed') AND key IN (SELECT value FROM json_each(?))",
                (json.dumps(list(keys)),),
            )

    def spent(self, account: str) -> Cost:
        """What is booked on an account: what was charged, and the worst case of what is not settled."""
        found = self.database.rows(
            "SELECT calls, tokens, picos FROM accounts WHERE name = ?", account
        )
        return Cost(*found[0]) if found else Cost()

    def _awaited(self, question: Question) -> bool:
        """Whether a batch is under way that will answer it, whoever waits for that."""
        return bool(
            self.database.rows(
                "SELECT 1 FROM attempts a JOIN batches b ON b.key = a.batch"
                " WHERE a.key = ? AND a.ending = 'open' AND NOT b.done",
                question.key,
            )
        )
