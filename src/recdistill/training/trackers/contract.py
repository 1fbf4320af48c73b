"""What the loop asks of a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Tracker(Protocol):
    """Takes the scalars of one training, across as many interruptions as there are."""

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Begin, or go on after `step`: what was said of later steps comes again, so it must go."""
        ...

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Take the `values` as they are after `step` steps."""
        ...

    def flush(self) -> None:
        """Make what was said survive a kill; called before every checkpoint."""
        ...

    def close(self) -> None:
        """No more will be said for now."""
        ...
