"""The outermost layer: every request is answered, counted and written down, whatever happens inside."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import cast

from recdistill.serving.gate import KEY
from recdistill.serving.journal import Journal
from recdistill.serving.keys import Caller
from recdistill.serving.metrics import Metrics
from recdistill.serving.operations import Operation
from recdistill.serving.problems import Problem, ProblemError, problem
from recdistill.serving.router import OPERATION
from recdistill.serving.wire import App, Message, Receive, Scope, Send, refusal, respond


class Observed:
    """Turns what is raised inside into problems, so that every answer that is none has the same shape."""

    def __init__(self, app: App, metrics: Metrics, journal: Journal) -> None:
        self._app, self._metrics, self._journal = app, metrics, journal
        self._name, self._numbers = secrets.token_hex(4), itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; web sockets are not spoken here."""
        if scope["type"] != "http":
            return
        began, number, status = time.perf_counter(), f"{self._name}-{next(self._numbers)}", 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", number.encode()))
            await send(message)

        trouble = await self._answer(scope, receive, watched, number)
        seconds = time.perf_counter() - began
        operation = cast("Operation | None", scope.get(OPERATION))
        name = operation.name if operation else ""
        self._metrics.answered(name, status, seconds)
        key = cast("Caller | None", scope.get(KEY))
        kind = trouble.type.rpartition(":")[2] if trouble else ""
        self._journal.request(number, name, status, seconds, kind, key.id if key else "")

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, number: str
    ) -> Problem | None:
        try:
            await self._app(scope, receive, send)
        except ProblemError as error:
            trouble = error
        except Exception as error:
            self._journal.failure(number, error)
            trouble = problem("internal")
        else:
            return None
        await respond(send, refusal(trouble))
        return trouble.problem
