"""The application: parts put together, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from recdistill.errors import RecDistillError
from recdistill.progress import Stream
from recdistill.serving.answering import Student
from recdistill.serving.beside import Beside
from recdistill.serving.gate import HOME, PUBLIC, Finder, Gate
from recdistill.serving.histories.opening import Store
from recdistill.serving.journal import Journal
from recdistill.serving.keeping import Keeping
from recdistill.serving.keys import KeyRing
from recdistill.serving.limits import Limits
from recdistill.serving.messages import Recommendations, RecommendRequest
from recdistill.serving.metrics import Metrics
from recdistill.serving.observing import Observed
from recdistill.serving.operations import Operation
from recdistill.serving.pace import Pace
from recdistill.serving.playground.page import Playground
from recdistill.serving.recommending import Recommending
from recdistill.serving.recording import Recording
from recdistill.serving.regularly import Regularly
from recdistill.serving.router import Router
from recdistill.serving.shelf import Shelf
from recdistill.serving.showing import Showing
from recdistill.serving.status import Status
from recdistill.serving.stocking import Stocking
from recdistill.serving.wire import App, Receive, Scope, Send
from recdistill.serving.work import Work

_MODEL_SHARE = 0.9
"""Of the deadline; what is left is for a list of what is popular."""


class Application:
    """An ASGI application over a student."""

    def __init__(
        self,
        shelf: Shelf,
        keys: KeyRing | None,
        limits: Limits | None = None,
        store: Store | None = None,
        journal: Stream | None = None,
        beside: Beside | None = None,
        recording: Recording | None = None,
        tokens: Finder | None = None,
    ) -> None:
        """Without a `store` there are no operations about users, without a `journal` nothing is written, without a
        `recording` no request is kept.

        Raises:
            ConfigError: a rule is about what the catalogue does not tell.
            StorageError: the stock cannot be read.
        """
        limits = limits or Limits()
        # Queues of their own: no history waits for a flush of the disk, and no answer for either.
        self.metrics = Metrics()
        gauge = self.metrics.under_way
        self._answers, self._reads, self._writes = (Work(limits.waiting, gauge) for _ in range(3))
        self._store = store
        self._journal, self._recording = Journal(journal), recording
        self._beside = beside = beside or Beside()
        self._stocking = Stocking(beside.stock, shelf, self._writes) if beside.stock else None
        shelf.rule(beside.rules)
        self._look = Regularly(self._stocking.look, self._troubled) if self._stocking else None
        self.metrics.follow(lambda: shelf.student)
        self.promoted(shelf.student)
        self.operations = self._table(shelf, limits)
        public = PUBLIC | {HOME} if beside.playground else PUBLIC
        router, pace = Router(self.operations, limits), Pace(limits.rate, limits.burst)
        inner = Gate(router, keys, tokens, pace, public)
        self._app: App = Observed(inner, self.metrics, self._journal)

    @property
    def _works(self) -> tuple[Work, Work, Work]:
        return self._answers, self._reads, self._writes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    def promoted(self, student: Student) -> None:
        """Count and write down which student answers from now on."""
        self.metrics.began(student)
        self._journal.happened(
            "bundle", bundle=student.digest, model=student.bundle.info.model.kind
        )

    def refused(self, error: RecDistillError) -> None:
        """Count and write down a bundle that cannot be used."""
        self.metrics.refused()
        self._journal.happened("refused", why=error.message)

    def gave(self, student: Student, lists: list[Recommendations]) -> None:
        """Count lists."""
        self.metrics.gave(student, lists)

    def asked(self, requests: Sequence[RecommendRequest]) -> None:
        """Record requests, if that is wanted."""
        if self._recording:
            self._recording.note(requests)

    def failed(self, error: Exception) -> None:
        """Write down why the model gave no list."""
        self._journal.failure("", error)

    def _troubled(self, error: RecDistillError) -> None:
        self._journal.happened("items", why=error.message)

    def close(self) -> None:
        """Finish what is being computed, and let go of threads and files."""
        if self._look:
            self._look.stop()
        for each in self._works:
            each.close()
        if self._beside.stock:
            self._beside.stock.close()
        if self._store:
            self._store.histories.close()
        if self._recording:
            self._recording.write()

    def _table(self, shelf: Shelf, limits: Limits) -> tuple[Operation, ...]:
        store = self._store
        keeping = None
        if store:
            works = (self._reads, self._writes)
            keeping = Keeping(store.histories, store.pseudonyms, *works, limits.patience)
        recommending = Recommending(
            shelf, self._answers, keeping, self, _MODEL_SHARE * limits.deadline
        )
        kept = keeping.operations() if keeping else []
        stocked = self._stocking.operations() if self._stocking else []
        shown = Showing(shelf, self._reads, self._beside.teacher).operations()
        page = Playground().operations() if self._beside.playground else []
        asked = [*recommending.operations(), *shown, *page]
        return Status(shelf, self._answers).describing(
            [*asked, *stocked, *kept, *self.metrics.operations()]
        )
