"""Appends events without end, each sent twice, and says which were acknowledged; made to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from recdistill.serving.histories.contract import Event
from recdistill.serving.histories.sqlite import SqliteHistories


def main() -> None:
    path, after = Path(sys.argv[1]), int(sys.argv[2])
    histories = SqliteHistories(path, "key")
    number = after  # sent again: whoever was killed does not know whether it was kept
    while True:
        events = [Event(n.to_bytes(16, "big"), b"a" * 16, "x", 0.0) for n in (number, number + 1)]
        histories.append(events)
        print(f"{number}\n{number + 1}", flush=True)
        number += 1


if __name__ == "__main__":
    main()
