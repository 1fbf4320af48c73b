"""How much the server takes on, and for how long it tries."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from recdistill.settings import Settings


class Limits(Settings):
    """Caps that an operator may move; those on `k` and on lists are part of the contract (`messages`)."""

    body: PositiveInt = 1 << 20
    """Largest body, in bytes."""
    head: PositiveInt = 16 << 10
    """Largest address and header fields, in bytes."""
    arrival: PositiveFloat = 5.0
    """Seconds in which a head must arrive, and a body."""
    deadline: PositiveFloat = 1.0
    """Seconds in which an answer must be found."""
    patience: PositiveFloat = 0.2
    """Seconds in which the store must tell a user's history; after that the answer does without, marked as degraded."""
    waiting: PositiveInt = 64
    """Requests under way at once; more are turned away (503) rather than kept waiting."""
    rate: NonNegativeFloat = 0.0
    """Requests a second that each key may make; 0 for as many as it likes."""
    burst: PositiveInt = 100
    """Requests that a key which was quiet may make at once."""
    connections: PositiveInt = 1000
    """Open connections; more are turned away."""
    farewell: PositiveInt = 10
    """Seconds that requests under way are given when the server stops."""
