"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from recdistill.serving.answering import Student
from recdistill.serving.messages import Recommendations
from recdistill.serving.operations import Call, Operation
from recdistill.serving.wire import Answer

_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0)
_PLAIN = CONTENT_TYPE_LATEST.partition(";")[0]


class Metrics:
    """Counts of one server. A label is never anything that a client wrote."""

    def __init__(self, under_way: Callable[[], float]) -> None:
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
        self._covered = set[str | int]()
        self._catalogue = Gauge(
            "recdistill_catalogue_items", "Size of the catalogue.", registry=self.registry
        )
        self._gauge("covered_items", "Distinct items given by this bundle.", self._cover)
        self._gauge("under_way", "Answers being computed or waiting.", under_way)
        self._refused = self._counter("refused_bundles", "Bundles promoted that cannot be used.")
        self._bundle = Gauge(
            "recdistill_bundle_info", "The bundle that answers.", ["bundle"], registry=self.registry
        )

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"recdistill_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(f"recdistill_{name}", text, registry=self.registry).set_function(value)

    def _cover(self) -> float:
        return float(len(self._covered))

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count a request; `operation` is the table's name for it, or empty."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def gave(self, lists: list[Recommendations]) -> None:
        """Count lists."""
        for told in lists:
            self._lists.inc()
            self._unknown.inc(told.unknown)
            self._degraded.inc(told.degraded)
            if told.cause:
                self._fallbacks.labels(told.cause).inc()
            if told.items:
                self._top.observe(told.items[0].score)
                self._covered.update(one.item for one in told.items)
            else:
                self._empty.inc()

    def began(self, student: Student) -> None:
        """Another student answers from now on; what was covered by the one before is no news of this one."""
        self._bundle.clear()
        self._bundle.labels(student.digest).set(1)
        self._catalogue.set(len(student.bundle.vocabulary))
        self._covered.clear()

    def refused(self) -> None:
        """Count a bundle that cannot be used."""
        self._refused.inc()

    async def read(self, call: Call) -> Answer:
        """All of them, in Prometheus' text format."""
        return Answer(200, generate_latest(self.registry), CONTENT_TYPE_LATEST)

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
