"""What Prometheus is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from recdistill.serving.answering import Student
from recdistill.serving.coverage import Coverage
from recdistill.serving.messages import Recommendations
from recdistill.serving.operations import Call, Operation
from recdistill.serving.wire import Answer

_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0)
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder where processes put their counts together."""
_PLAIN = CONTENT_TYPE_LATEST.partition(";")[0]


class Metrics:
    """Counts of one server, or, where they meet in a folder, of all its processes. A label is never anything that a
    client wrote.
    """

    def __init__(self) -> None:
        named = os.environ.get(MULTIPROCESS)
        self._meeting = Path(named) if named else None
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "recdistill_requests",
            "Requests answered, by operation and status.",
            ["operation", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "recdistill_request_seconds",
            "From the request's head to the end of its answer.",
            ["operation"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._lists = self._counter("lists", "Lists given.")
        self._empty = self._counter("empty_lists", "Of them, those without an item.")
        self._degraded = self._counter("degraded_lists", "Of them, fallbacks.")
        self._fallbacks = Counter(
            "recdistill_fallback_lists",
            "Fallbacks, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self._unknown = self._counter("unknown_items", "Items of histories that nobody knows.")
        self._top = Summary(
            "recdistill_top_score", "Scores at the top of lists.", registry=self.registry
        )
        self.under_way = Gauge(
            "recdistill_under_way",
            "Answers being computed or waiting.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._refused = self._counter("refused_bundles", "Bundles promoted that cannot be used.")
        self._bundle = _Answering(self._meeting)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"recdistill_{name}", text, registry=self.registry)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count a request; `operation` is the table's name for it, or empty."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def gave(self, student: Student, lists: list[Recommendations]) -> None:
        """Count lists that a student gave."""
        for told in lists:
            self._lists.inc()
            self._unknown.inc(told.unknown)
            self._degraded.inc(told.degraded)
            if told.cause:
                self._fallbacks.labels(told.cause).inc()
            if told.items:
                self._top.observe(told.items[0].score)
            else:
                self._empty.inc()
        self._bundle.gave(student, lists)

    def began(self, student: Student) -> None:
        """Another student answers from now on; what was covered by the one before is no news of this one."""
        self._bundle.began(student)

    def follow(self, student: Callable[[], Student]) -> None:
        """Tell what this gives of the items that it has beside its bundle."""
        self._bundle.now = student

    def refused(self) -> None:
        """Count a bundle that cannot be used."""
        self._refused.inc()

    async def read(self, call: Call) -> Answer:
        """All of them, in Prometheus' text format."""
        return Answer(200, self._text(), CONTENT_TYPE_LATEST)

    def _text(self) -> bytes:
        counted = self.registry
        if self._meeting:
            counted = CollectorRegistry()
            MultiProcessCollector(counted, str(self._meeting))
        now = CollectorRegistry()
        now.register(self._bundle)
        return generate_latest(counted) + generate_latest(now)

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        return [
            Operation(
                method="GET",
                path="/metrics",
                access="metrics",
                summary="Counts and times, for Prometheus.",
                handler=self.read,
                gives=_PLAIN,
            )
        ]


class _Answering:
    """The bundle that answers now: what this process knows of it is true of all."""

    def __init__(self, meeting: Path | None) -> None:
        self._meeting = meeting
        self.now: Callable[[], Student] | None = None
        self._digest, self._items, self._covered = "", 0, Coverage("", 0)

    def began(self, student: Student) -> None:
        self._digest, self._items = student.digest, len(student.bundle.vocabulary)
        self._covered = Coverage(self._digest, self._items, self._meeting)

    def gave(self, student: Student, lists: list[Recommendations]) -> None:
        if student.digest != self._digest:
            return  # begun before another took its place
        for told in lists:
            self._covered.add(student.catalogue.known(one.item for one in told.items))

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        bundle = GaugeMetricFamily(
            "recdistill_bundle_info", "The bundle that answers.", labels=["bundle"]
        )
        bundle.add_metric([self._digest], 1)
        yield bundle
        size, covered = float(self._items), float(self._covered.count())
        yield GaugeMetricFamily("recdistill_catalogue_items", "Size of the catalogue.", size)
        given = "Distinct items given by this bundle."
        yield GaugeMetricFamily("recdistill_covered_items", given, covered)
        if self.now:
            over = self.now().overlay
            yield GaugeMetricFamily(
                "recdistill_late_items", "Items beside the bundle's own.", float(len(over.late))
            )
            waiting = "Items said of another model, without a vector of this one."
            yield GaugeMetricFamily("recdistill_waiting_items", waiting, float(over.waiting))


def forget_process(meeting: Path, process: int) -> None:
    """A process has ended: what it had under way is under way no more; its counts stay."""
    mark_process_dead(process, str(meeting))
