"""What any store of histories must do, beside a plain dictionary."""

from __future__ import annotations

import hypothesis.strategies as st

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
    """All or nothing, each id once, order by time and then by arrival. `histories` must be empty.

    The latter half of the requests comes at once.
    """
    alone, together = requests[: len(requests) // 2], requests[len(requests) // 2 :]
    kept: dict[bytes, Event] = {}
    expected = [_kept(kept, events) for events in map(_events, requests)]
    found = [_one(histories, _events(request)) for request in alone]
    found += [_new(each) for each in histories.append_many([*map(_events, together)])]
    assert found == expected
    for user in (ANN, BOB):
        # sorted() is stable, and a dictionary remembers the order of arrival.
        mine = sorted((one for one in kept.values() if one.user == user), key=lambda one: one.at)
        assert histories.export(user) == mine
        assert histories.latest(user, 3) == [one.item for one in mine][-3:]


def _events(request: list[tuple[int, bytes, int]]) -> list[Event]:
    return [event(n, user, f"i{n % 5}", float(at)) for n, user, at in request]


def _kept(kept: dict[bytes, Event], events: list[Event]) -> int | None:
    """How many are new, and `kept` with them; `None` for a conflict."""
    after = dict(kept)
    for one in events:
        known = after.setdefault(one.id, one)
        if (known.user, known.item) != (one.user, one.item):
            return None
    new = len(after) - len(kept)
    kept.update(after)
    return new


def _one(histories: Histories, events: list[Event]) -> int | None:
    try:
        return histories.append(events)
    except EventConflictError:
        return None


def _new(outcome: int | EventConflictError) -> int | None:
    return outcome if isinstance(outcome, int) else None
