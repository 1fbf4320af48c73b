"""Appends events without end, each sent twice, and says which were acknowledged; made to be killed.

Arguments: a file, the number after which to begin, and how many clients send at once (they share flushes of the disk).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from recdistill.serving.histories.contract import Event
from recdistill.serving.histories.sqlite import SqliteHistories
from recdistill.serving.passes import Passes
from recdistill.serving.work import Work


async def send(passes: Passes[list[Event], int], first: int, step: int) -> None:
    number = first  # sent again: whoever was killed does not know whether it was kept
    while True:
        numbers = (number, number + step)
        await passes.ask([Event(n.to_bytes(16, "big"), b"a" * 16, "x", 0.0) for n in numbers])
        print(f"{number}\n{number + step}", flush=True)
        number += step


async def main(path: Path, after: int, clients: int) -> None:
    histories = SqliteHistories(path, "key")
    passes = Passes[list[Event], int](Work(2 * clients), histories.append_many, 1000, size=len)
    await asyncio.gather(*(send(passes, after + n, clients) for n in range(clients)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
