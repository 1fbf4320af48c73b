"""An OpenAI-compatible endpoint that counts and charges every request it sees, and misbehaves when told to.

    python billing.py [--key SECRET] [--latency SECONDS] [--errors SHARE] [--dear] …

prints its port and serves until its standard input closes. What goes wrong is said in the prompt:
`[[hang x2]]` in a message makes the first two requests with that message hang. `GET /bill` tells every request.
Answers are a function of the request alone. Charged is every request for which an answer was made, whether or not
it arrived; errors by status are free.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

FAULT = re.compile(r"\[\[(\S+) x(\d+)\]\]")
RETRY_AFTER = 1
REASONS = {
    "429": {},
    "429-after": {"Retry-After": str(RETRY_AFTER)},
    "429-date": {},
    "429-far": {"Retry-After": "86400"},
    "429-quota": {},
    "503-after": {"Retry-After": str(RETRY_AFTER)},
}


class Call(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What the model says, and what it costs."""

    payload: dict
    prompt: int
    completion: int


class Endpoint:
    """The state of the server: what was seen, and what was charged."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.random = random.Random(options.seed)
        self.seen: Counter[str] = Counter()
        self.bill: list[dict] = []
        self.under_way = self.most_under_way = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}

    # --- connections -----------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while call := await read_call(reader):
                if not await self.answer(call, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        """Answer one call; whether the connection can be used again."""
        if call.path == "/bill":
            return await send(writer, 200, self.told())
        if self.options.key and call.headers.get("authorization") != f"Bearer {self.options.key}":
            given = call.headers.get("authorization", "").removeprefix("Bearer ")
            self.line(call, status=401)
            return await send(writer, 401, error(f"Incorrect API key provided: {given}"))
        if call.path == "/v1/chat/completions":
            return await self.chat(call, writer)
        return await self.other(call, writer)

    def told(self) -> dict:
        return {"lines": self.bill, "most_under_way": self.most_under_way}

    def line(self, call: Call, **facts: object) -> dict:
        line = {
            "id": call.headers.get("x-client-request-id"),
            "question": hashlib.sha256(call.body).hexdigest(),
            "at": time.monotonic(),
            "status": None,
            "prompt": 0,
            "completion": 0,
            "picos": 0,
            "delivered": False,
            **facts,
        }
        self.bill.append(line)
        return line

    # --- chat ------------------------------------------------------------------------------------

    async def chat(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            line = self.line(call)
            await asyncio.sleep(self.random.uniform(0, 2) * self.options.latency)
            fault = self.fault(call.body.decode())
            return await self.fate(fault)(call, line, writer, fault)
        finally:
            self.under_way -= 1

    def fault(self, text: str) -> str:
        """What goes wrong this time, by the prompt or by chance."""
        if self.random.random() < self.options.errors:
            return self.random.choice(["429", "500", "503", "reset"])
        named = FAULT.search(text)
        if named is None:
            return ""
        self.seen[text] += 1
        return named[1] if self.seen[text] <= int(named[2]) else ""

    def fate(self, fault: str) -> Callable:
        strange = {"cut-json", "wrong-schema", "html", "empty", "no-usage", "refusal", "filtered"}
        if fault in strange:
            return self.strange
        broken = {"hang": self.hang, "drip": self.drip, "reset": self.reset}
        broken |= {"reset-midway": self.midway, "cut-body": self.midway}
        if fault in broken:
            return broken[fault]
        return self.turned_away if fault else self.good

    def charge(self, call: Call, line: dict) -> Answer:
        """Make an answer and charge for it."""
        made = self.made(json.loads(call.body))
        line |= {
            "prompt": made.prompt,
            "completion": made.completion,
            "picos": made.prompt * self.options.input + made.completion * self.options.output,
        }
        return made

    def made(self, asked: dict) -> Answer:
        """An answer that depends on the question alone; with `--dear`, as long as may be."""
        text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        longest = asked.get("max_tokens") or asked.get("max_completion_tokens") or 64
        if self.options.dear:
            words = "".join(turn["content"] for turn in asked["messages"])
            prompt, completion = len(words.encode()) + 200, longest
        else:
            prompt, completion = len(text) // 4 + 1, 1 + int(digest[:8], 16) % longest
        payload = {
            "id": f"chatcmpl-{digest[:12]}",
            "object": "chat.completion",
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": f"said {digest[:16]}"},
                    "finish_reason": "stop",
                    "logprobs": {
                        "content": [{"token": "said", "logprob": -0.5, "top_logprobs": []}]
                    },
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        }
        return Answer(payload, prompt, completion)

    async def good(self, call: Call, line: dict, writer: asyncio.StreamWriter, _: str) -> bool:
        made = self.charge(call, line)
        return await deliver(writer, line, json.dumps(made.payload).encode())

    async def strange(
        self, call: Call, line: dict, writer: asyncio.StreamWriter, fault: str
    ) -> bool:
        """A whole HTTP answer with something strange in it."""
        made = self.charge(call, line)
        payload = made.payload
        message = payload["choices"][0]["message"]
        if fault == "no-usage":
            del payload["usage"]
        if fault == "refusal":
            message |= {"content": None, "refusal": "I would rather not."}
        if fault == "filtered":
            message["content"] = None
            payload["choices"][0]["finish_reason"] = "content_filter"
        whole = json.dumps(payload).encode()
        bodies = {
            "cut-json": whole[: len(whole) // 2],
            "wrong-schema": b'{"outputs": [1, 2, 3]}',
            "html": b"<html><body>Sign in to the Wi-Fi</body></html>",
            "empty": b"",
        }
        return await deliver(writer, line, bodies.get(fault, whole))

    async def turned_away(
        self, call: Call, line: dict, writer: asyncio.StreamWriter, fault: str
    ) -> bool:
        """An error, by status or (`error-object`) inside a 200; free."""
        status = 200 if fault == "error-object" else int(fault[:3])
        headers = dict(REASONS.get(fault, {}))
        if fault == "429-date":
            now = datetime.now(UTC).replace(microsecond=0)
            headers["Date"] = format_datetime(now, usegmt=True)
            headers["Retry-After"] = format_datetime(
                now + timedelta(seconds=RETRY_AFTER), usegmt=True
            )
        code = "insufficient_quota" if fault == "429-quota" else "trouble"
        line |= {"status": status, "delivered": True}
        return await send(writer, status, error(f"no luck: {fault}", code), headers)

    async def hang(self, call: Call, line: dict, writer: asyncio.StreamWriter, _: str) -> bool:
        self.charge(call, line)
        await asyncio.sleep(3600)
        return False

    async def drip(self, call: Call, line: dict, writer: asyncio.StreamWriter, _: str) -> bool:
        body = json.dumps(self.charge(call, line).payload).encode()
        writer.write(head(200, len(body), {}))
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)
        # Closed now, a client that took the last byte could be sending its next question into a closed connection.
        return True

    async def reset(self, call: Call, line: dict, writer: asyncio.StreamWriter, _: str) -> bool:
        self.charge(call, line)
        abort(writer)
        return False

    async def midway(
        self, call: Call, line: dict, writer: asyncio.StreamWriter, fault: str
    ) -> bool:
        """Half an answer, and then a reset or a closed connection."""
        body = json.dumps(self.charge(call, line).payload).encode()
        writer.write(head(200, len(body), {}) + body[: len(body) // 2])
        await writer.drain()
        await asyncio.sleep(0.02)
        if fault == "reset-midway":
            abort(writer)
        return False

    # --- files and batches -----------------------------------------------------------------------

    async def other(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        """Files and batches. A path that begins to fail is told by `--batch-faults PATH:FAULT:TIMES,…`."""
        self.line(call, path=f"{call.method} {call.path}")
        path, _, query = call.path.removeprefix("/v1/").partition("?")
        fault = self.planned_fault(f"{call.method} {path.split('/')[0]}")
        if fault and fault != "lost":
            told = error(f"no luck: {fault}")
            return await send(writer, int(fault[:3]), told, REASONS.get(fault))
        told = self.managed(call.method, path.split("/"), query, call)
        if fault == "lost":  # done, but nobody hears of it
            abort(writer)
            return False
        return await send(writer, 404 if told is None else 200, told or error("no such thing"))

    def planned_fault(self, what: str) -> str:
        for number, (path, fault) in enumerate(self.options.batch_faults):
            if path == what:
                del self.options.batch_faults[number]
                return fault
        return ""

    def managed(self, method: str, path: list[str], query: str, call: Call) -> dict | bytes | None:
        match method, path:
            case "POST", ["files"]:
                name = f"file-{len(self.files)}"
                self.files[name] = multipart_file(call)
                return {"id": name, "object": "file", "purpose": "batch"}
            case "GET", ["files", name, "content"]:
                return self.files.get(name)
            case "POST", ["batches"]:
                return self.new_batch(json.loads(call.body))
            case "GET", ["batches"]:
                return self.page(dict(part.split("=") for part in query.split("&")))
            case "GET", ["batches", name]:
                return self.looked_at(self.batches.get(name))
        return None

    def new_batch(self, asked: dict) -> dict:
        name = f"batch_{len(self.batches)}"
        asked = {key: value for key, value in asked.items() if key in ("input_file_id", "metadata")}
        batch = {"id": name, "status": "validating", **asked, "looks": self.options.batch_looks}
        self.batches[name] = batch
        return batch

    def page(self, query: dict[str, str]) -> dict:
        """Newest first, a few at a time, whatever was asked for."""
        names = list(reversed(self.batches))
        start = names.index(query["after"]) + 1 if "after" in query else 0
        page = names[start : start + 2]
        return {"data": [self.batches[name] for name in page], "has_more": start + 2 < len(names)}

    def looked_at(self, batch: dict | None) -> dict | None:
        """Each look brings a batch nearer to its end."""
        if batch and batch["status"] in ("validating", "in_progress"):
            batch["looks"] -= 1
            batch["status"] = "in_progress"
            if batch["looks"] < 0:
                self.work_off(batch)
        return batch

    def work_off(self, batch: dict) -> None:
        """Answer a batch: in another order, and with what the prompts say goes wrong."""
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        if self.options.batch_ends == "failed":
            batch |= {"status": "failed", "errors": {"data": [{"message": "no such window"}]}}
            return
        good, bad = [], []
        for line in lines:
            self.work_on(line, good, bad)
        self.random.shuffle(good)
        stem = batch["id"]
        self.files[f"{stem}-out"] = b"\n".join(good)
        self.files[f"{stem}-err"] = b"\n".join(bad)
        batch |= {"status": self.options.batch_ends, "output_file_id": f"{stem}-out"}
        batch |= {"error_file_id": f"{stem}-err"} if bad else {}

    def work_on(self, line: dict, good: list[bytes], bad: list[bytes]) -> None:
        body = json.dumps(line["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        call = Call("POST", line["url"], {"x-client-request-id": line["custom_id"]}, body.encode())
        entry, fault = self.line(call, batch=True), self.fault(body)
        result: dict = {"custom_id": line["custom_id"], "response": None, "error": None}
        if fault == "expired":
            self.bill.remove(entry)
            bad.append(json.dumps(result | {"error": {"code": "batch_expired"}}).encode())
        elif fault.isdigit():
            entry |= {"status": int(fault), "delivered": True}
            response = {"status_code": int(fault), "body": error(f"no luck: {fault}")}
            bad.append(json.dumps(result | {"response": response}).encode())
        else:
            payload = self.charge(call, entry).payload
            answer = json.dumps(
                result | {"response": {"status_code": 200, "body": payload}}
            ).encode()
            entry |= {"status": 200, "delivered": fault not in ("missing", "cut")}
            strangers = answer.replace(line["custom_id"].encode(), b"nobody's")
            twice = answer.replace(b"said ", b"a second opinion: ")
            written = {"missing": [], "cut": [answer[:40]], "duplicate": [answer, twice, strangers]}
            good += [b"\n".join(written.get(fault, [answer]))]


def multipart_file(call: Call) -> bytes:
    """The content of the one file in a form."""
    boundary = call.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = call.body.split(b"--" + boundary)
    part = next(part for part in parts if b"filename=" in part)
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def planned_faults(text: str) -> list[tuple[str, str]]:
    """`POST batches:lost:1` says that the first such request gets no answer."""
    planned = [part.split(":") for part in text.split(",")]
    return [(path, fault) for path, fault, times in planned for _ in range(int(times))]


def error(message: str, code: str = "trouble") -> dict:
    return {"error": {"message": message, "type": "error", "code": code}}


async def read_call(reader: asyncio.StreamReader) -> Call | None:
    first = await reader.readline()
    if not first:
        return None
    method, path, _ = first.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, value = line.decode().split(":", 1)
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, body)


def head(status: int, length: int, headers: dict[str, str]) -> bytes:
    lines = {"Content-Type": "application/json", "Content-Length": str(length), **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Status\r\n{text}\r\n".encode()


async def send(
    writer: asyncio.StreamWriter,
    status: int,
    value: dict | bytes,
    headers: dict[str, str] | None = None,
) -> bool:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    writer.write(head(status, len(body), headers or {}) + body)
    await writer.drain()
    return True


async def deliver(writer: asyncio.StreamWriter, line: dict, body: bytes) -> bool:
    line |= {"status": 200, "delivered": True}
    return await send(writer, 200, body)


def abort(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of a goodbye."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", default="")
    parser.add_argument("--latency", type=float, default=0.0, help="mean seconds until an answer")
    parser.add_argument("--errors", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--dear", action="store_true", help="as many tokens as may be")
    parser.add_argument("--input", type=int, default=150_000, help="picos a token of prompts")
    parser.add_argument("--output", type=int, default=600_000, help="picos a token of answers")
    parser.add_argument("--batch-looks", type=int, default=1, help="looks until a batch is done")
    parser.add_argument("--batch-ends", default="completed", help="its status then")
    parser.add_argument("--batch-faults", type=planned_faults, default=[])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


async def main() -> None:
    endpoint = Endpoint(options())
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
