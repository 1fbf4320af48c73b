"""Sends malformed bodies to an application in this process; prints how much memory that took, and the statuses seen.

Arguments: a bundle, how many bodies, and how many bytes to leak for each (to see that a leak is seen).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from recdistill.serving.answering import open_student
from recdistill.serving.app import Application
from recdistill.serving.keys import SCOPES, KeyRing, make_key
from recdistill.serving.shelf import Shelf

GOOD = json.dumps({"history": ["i0001", 7, "i0003"], "k": 5, "exclude": ["i0009"]}).encode()


def memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def malformed(draw: random.Random) -> bytes:
    kind = draw.randrange(5)
    if kind == 0:
        return GOOD[: draw.randrange(len(GOOD))]
    if kind == 1:
        return b"[" * draw.randint(1, 20_000)
    if kind == 2:
        return json.dumps({"history": ["x" * draw.randint(257, 3_000)] * 10}).encode()
    if kind == 3:
        return json.dumps({f"field-{draw.random()}": 1}).encode()
    return draw.randbytes(draw.randint(1, 2_000))


async def post(app: Application, token: str, body: bytes) -> int:
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        statuses.append(message.get("status"))

    headers = [
        (b"authorization", f"Bearer {token}".encode()),
        (b"content-type", b"application/json"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/v1/recommend", "headers": headers}
    await app(scope, receive, send)
    return statuses[0]


async def main(bundle: Path, bodies: int, leak: int) -> None:
    key, token = make_key(SCOPES)
    app = Application(Shelf(open_student(bundle)), KeyRing([key]))
    draw, statuses, leaked, before = random.Random(0), set(), [], 0
    for number in range(bodies):
        statuses.add(await post(app, token, malformed(draw)))
        leaked.append(bytes(leak) + b"x" if leak else None)
        if number == bodies // 10:
            before = memory()
    print(memory() - before, *sorted(statuses))
    app.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
