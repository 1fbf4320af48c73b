"""A client that speaks to an ASGI application in memory, all its requests in one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from recdistill.serving.configuration import ServerConfig
from recdistill.serving.running import bound, web_server


class Client:
    """Sends its key unless told otherwise."""

    def __init__(self, app: Any, token: str) -> None:
        self.app, self.token = app, token
        self._runner = asyncio.Runner()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.run(lambda http: http.request(method, path, json=body, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.ask("POST", path, body, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.run(lambda http: http.get(path, **options))

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        """What a coroutine over an asynchronous client comes to."""

        async def asked() -> Any:
            headers = {"authorization": f"Bearer {self.token}"}
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://server", headers=headers
            ) as http:
                return await work(http)

        return self._runner.run(asked())

    def close(self) -> None:
        self._runner.close()
        self.app.close()


@contextmanager
def listening(app: Any, **settings: Any) -> Iterator[tuple[Any, int]]:
    """The application behind uvicorn, in a thread; gives the server and its port."""
    config = ServerConfig(port=0, **settings)
    listener, server = bound(config), web_server(app, config)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield server, port
    finally:
        server.should_exit = True
        thread.join()
