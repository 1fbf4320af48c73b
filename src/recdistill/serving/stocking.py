"""Operations on items that came, changed or went since the bundle was made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from recdistill.errors import RecDistillError
from recdistill.serving.answering import Student, UnknownItemError
from recdistill.serving.operations import Call, Operation
from recdistill.serving.problems import ProblemError, from_error, problem
from recdistill.serving.shelf import Shelf
from recdistill.serving.stock.contract import Entry
from recdistill.serving.stock.messages import ItemsRequest, NewItem, Removed, Stocked
from recdistill.serving.stock.store import StockStore
from recdistill.serving.stock.texts import encoder_of
from recdistill.serving.work import Work

MOST = 10_000
"""Items that are kept beside a bundle; of more, a student should learn."""


class Stocking:
    """The door to the store of items: what is acknowledged is on the disk and on the shelf."""

    def __init__(self, store: StockStore, shelf: Shelf, writes: Work) -> None:
        self._store, self._shelf, self._writes = store, shelf, writes
        self._version = -1

    async def add(self, call: Call) -> Stocked:
        """Keep items, and recommend them from now on."""
        request: ItemsRequest = call.body
        student = self._shelf.student
        entries = [
            _entry(student, item, f"$.items[{place}]") for place, item in enumerate(request.items)
        ]
        await self._kept(entries)
        return Stocked(len(entries), student.digest)

    async def remove(self, call: Call) -> Removed:
        """Recommend an item no more."""
        student = self._shelf.student
        known = {entry.item for entry in student.stock}
        if call.name not in known and student.catalogue.place(call.name) is None:
            raise problem("no-item")
        gone = Entry(call.name, student.bundle.info.model.weights, gone=True)
        await self._kept([gone])
        return Removed(call.name)

    def look(self) -> None:
        """Put on the shelf what is in the store, if that has changed; by whichever server.

        Raises:
            RecDistillError: it cannot be read, or means nothing to the bundle.
        """
        version = self._store.version()
        if version != self._version:
            self._shelf.stock(self._store.entries())
            self._version = version

    async def _kept(self, entries: Sequence[Entry]) -> None:
        try:
            await self._writes.run(lambda: self._keep(entries))
        except RecDistillError as error:
            raise from_error(error) from error

    def _keep(self, entries: Sequence[Entry]) -> None:
        self.look()
        kept = {entry.item for entry in self._shelf.student.stock}
        if len(kept.union(entry.item for entry in entries)) > MOST:
            raise problem("too-many-items")
        self._store.put(entries)
        self.look()

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        return [
            Operation(
                method="POST",
                path="/v1/items",
                access="admin",
                summary="Items that are new, or of which something new is said: recommended from now on.",
                handler=self.add,
                takes=ItemsRequest,
                gives=Stocked,
                asked=ItemsRequest(
                    [
                        NewItem(
                            "1683",
                            "Spaceballs II",
                            {"genres": "Comedy, Sci-Fi"},
                            like=["50", "172"],
                        )
                    ]
                ),
                said=Stocked(1, "3f1c"),
                problems=(
                    "unknown-item",
                    "no-vector",
                    "wrong-width",
                    "no-text-encoder",
                    "too-many-items",
                    "storage",
                ),
            ),
            Operation(
                method="DELETE",
                path="/v1/items/{item}",
                access="admin",
                summary="Recommend an item no more.",
                handler=self.remove,
                gives=Removed,
                said=Removed("1683"),
                problems=("no-item", "storage"),
            ),
        ]


def _entry(student: Student, said: NewItem, where: str) -> Entry:
    """What is kept of an item.

    Raises:
        ProblemError: it does not say what the item is like, or not so that this bundle understands it.
    """
    ways = [name for name in ("text", "vector", "like") if getattr(said, name) is not None]
    if len(ways) > 1:
        raise problem("invalid", f"Not both {ways[0]} and {ways[1]}.", field=f"{where}.{ways[1]}")
    names = student.own.names.places
    if not ways and str(said.item) not in names:
        raise problem(
            "no-vector", f"This bundle does not know '{said.item}'.", _possible(student), where
        )
    for way in ways:
        _CHECKS[way](student, said, f"{where}.{way}")
    return Entry(
        str(said.item),
        student.bundle.info.model.weights,
        said.title,
        said.attributes,
        said.text,
        said.vector,
        [str(one) for one in said.like] if said.like else None,
    )


def _check_text(student: Student, said: NewItem, where: str) -> None:
    if encoder_of(student.bundle) is None:
        raise problem("no-text-encoder", "", _possible(student), where)


def _check_vector(student: Student, said: NewItem, where: str) -> None:
    width, vector = student.bundle.info.model.width, said.vector or []
    if len(vector) != width:
        wrong = f"This bundle's vectors have {width} numbers; this one has {len(vector)}."
        raise problem("wrong-width", wrong, _possible(student), where)
    if not all(math.isfinite(value) and abs(value) < _LARGEST for value in vector):
        raise problem(
            "invalid", f"Its numbers must be finite, and less than {_LARGEST:g}.", "", where
        )


def _check_like(student: Student, said: NewItem, where: str) -> None:
    for place, one in enumerate(said.like or []):
        if str(one) not in student.own.names.places:
            raise _unlike(student, one, f"{where}[{place}]")


def _unlike(student: Student, one: str | int, where: str) -> ProblemError:
    hint = "Name items of the bundle's own catalogue."
    try:
        student.require([one], "item")
    except UnknownItemError as error:
        hint = error.hint or hint
    return problem("unknown-item", f"The bundle's catalogue has no '{one}'.", hint, where)


_LARGEST = 1e6
_CHECKS: dict[str, Callable[[Student, NewItem, str], None]] = {
    "text": _check_text,
    "vector": _check_vector,
    "like": _check_like,
}


def _possible(student: Student) -> str:
    """How an item can be said to be like something, with this bundle."""
    width = student.bundle.info.model.width
    text = "`text`, " if encoder_of(student.bundle) else ""
    return f"Give {text}`vector` ({width} numbers) or `like` (ids of items that it resembles)."
