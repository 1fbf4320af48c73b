"""What any store of histories must do, beside a plain dictionary."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest

from recdistill.serving.histories.contract import Event, EventConflictError, Histories

ANN, BOB = b"a" * 16, b"b" * 16

_sent = st.tuples(st.integers(0, 30), st.sampled_from([ANN, BOB]), st.integers(0, 3))
calls = st.lists(st.lists(_sent, max_size=8), max_size=8)
"""Several requests of several events: number, user and time."""


def event(number: int, user: bytes = ANN, item: str = "x", at: float = 0.0) -> Event:
    return Event(number.to_bytes(16, "big"), user, item, at)


def behaves_as_a_dictionary(
    histories: Histories, requests: list[list[tuple[int, bytes, int]]]
) -> None:
    """All or nothing, each id once, order by time and then by arrival. `histories` must be empty."""
    kept: dict[bytes, Event] = {}
    for request in requests:
        events = [event(n, user, f"i{n % 5}", float(at)) for n, user, at in request]
        after, conflict = dict(kept), False
        for one in events:
            known = after.setdefault(one.id, one)
            conflict |= (known.user, known.item) != (one.user, one.item)
        if conflict:
            with pytest.raises(EventConflictError):
                histories.append(events)
            continue
        assert histories.append(events) == len(after) - len(kept)
        kept = after
    for user in (ANN, BOB):
        # sorted() is stable, and a dictionary remembers the order of arrival.
        mine = sorted((one for one in kept.values() if one.user == user), key=lambda one: one.at)
        assert histories.export(user) == mine
        assert histories.latest(user, 3) == [one.item for one in mine][-3:]
