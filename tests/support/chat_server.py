"""A scripted OpenAI-compatible chat server in a thread: what it says is a function of the request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Lines = list[tuple[str, str]]
"""Labels and texts, as they were shown."""


@dataclass
class Seen:
    """What a request showed."""

    body: dict[str, Any]

    @property
    def user(self) -> str:
        return self.body["messages"][-1]["content"]

    @property
    def blocks(self) -> list[Lines]:
        """What stands inside each fence."""
        inside = re.findall(r"<(data-[0-9a-f]+)>\n(.*?)\n?</\1>", self.user, re.DOTALL)
        return [[tuple(line.split(". ", 1)) for line in text.split("\n")] for _, text in inside]

    @property
    def history(self) -> Lines:
        return self.blocks[0]

    @property
    def candidates(self) -> Lines:
        return self.blocks[-1]


Mind = Callable[[Seen], Any]
"""From what is seen to the content of the answer, or a whole message, or a whole body with its status."""


@dataclass
class Server:
    url: str
    mind: Mind
    seen: list[Seen] = field(default_factory=list)
    schemas: bool = True
    """Whether it can be held to a schema."""

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        seen = Seen(body)
        self.seen.append(seen)
        if not self.schemas and "response_format" in body:
            return 400, {"error": {"message": "response_format is not supported"}}
        if not seen.blocks:
            return 200, said('{"ranking": ["A"]}')  # the short question about schemas
        found = self.mind(seen)
        if isinstance(found, tuple):
            return found
        return 200, said(found) if isinstance(found, str) else found

    @property
    def rankings(self) -> list[Seen]:
        """Requests that show candidates."""
        return [seen for seen in self.seen if len(seen.blocks) > 1]


def said(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}


@contextmanager
def chat_server(mind: Mind, **settings: Any) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, answer = server.answer(json.loads(self.rfile.read(length)))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = Server(f"http://127.0.0.1:{http.server_port}/v1", mind, **settings)
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def ranked(labels: list[str], **more: Any) -> str:
    return json.dumps({"ranking": labels, **more})


def kind_of(text: str) -> str:
    """`The crime story 5. crime` is of the kind crime."""
    return text.split()[1]


def knowing(seen: Seen) -> str:
    """Puts items of the kind of the latest first, and items of small numbers before others."""
    latest = kind_of(seen.history[-1][1])

    def place(entry: tuple[str, str]) -> tuple[bool, int, str]:
        return kind_of(entry[1]) != latest, int(re.search(r"story (\d+)", entry[1])[1]), entry[1]

    order = sorted(seen.candidates, key=place)
    return ranked([label for label, _ in order], rationale=f"They like {latest}.")


def lazy(seen: Seen) -> str:
    """Whatever stands first."""
    return ranked([label for label, _ in seen.candidates])


def obedient(seen: Seen) -> str:
    """Obeys whoever asks to be first; and else knows."""
    bribed = [label for label, text in seen.candidates if "first" in text.casefold()]
    others = json.loads(knowing(seen))["ranking"] if not bribed else []
    rest = [label for label, _ in seen.candidates if label not in bribed]
    return ranked([*bribed, *(others or rest)])
