"""One request over HTTP, once: no retries here, none in the client below."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.retries import retry_after

_LONGEST_BODY = 32 * 2**20
"""Bytes of an answer; what comes after is left unread."""
_IDLE_SECONDS = 2.0
"""A connection that idled for longer is not used again: many servers close theirs after five seconds (uvicorn, Node),
and what is sent in that very moment is lost, and has to count as charged."""
_HIDDEN = "[secret]"
_SECRET = 8
"""Characters from which on a key is one: for servers that want none, people write `x` or `none`, which stand in any
answer."""


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    left_alone: float = 0.0
    """Seconds for which the endpoint wants no further requests."""


class UnreachedError(Exception):
    """There was no connection; the request never left."""


class LostError(Exception):
    """The request left, and no whole answer came: it may have been charged."""


class Wire:
    """The connections to an endpoint. Its key goes into a header of requests and nowhere else.

    Raises:
        ConfigError: the environment holds no key.
    """

    def __init__(self, endpoint: EndpointConfig) -> None:
        self._endpoint, self._secret = endpoint, endpoint.key()
        whole, most = endpoint.timeout, endpoint.concurrency
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._secret}"} if self._secret else {},
            timeout=httpx.Timeout(whole, connect=endpoint.connect_timeout),
            limits=httpx.Limits(
                max_connections=most,
                max_keepalive_connections=most,
                keepalive_expiry=_IDLE_SECONDS,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def chat(self, body: str, attempt: str) -> Reply:
        """Ask for a completion.

        Raises:
            UnreachedError, LostError
        """
        headers = {"Content-Type": "application/json", "X-Client-Request-Id": attempt}
        return await self.call("POST", "/chat/completions", content=body.encode(), headers=headers)

    async def call(
        self, method: str, path: str, longest: int = _LONGEST_BODY, **parts: Any
    ) -> Reply:
        """Send a request and read the whole answer, up to `longest` bytes, within the endpoint's `timeout` in all.

        Raises:
            UnreachedError, LostError
        """
        request = self._client.build_request(method, self._endpoint.base_url + path, **parts)
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                answer = await self._client.send(request, stream=True)
                try:
                    body = await _whole(answer, longest)
                finally:
                    await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise UnreachedError(self._told(error)) from None
        except TimeoutError:
            raise LostError(f"no whole answer within {self._endpoint.timeout:g} s") from None
        except httpx.HTTPError as error:
            raise LostError(self._told(error)) from None
        return Reply(answer.status_code, self._cleaned(body), retry_after(answer.headers))

    def _told(self, error: Exception) -> str:
        return self._cleaned((str(error) or type(error).__name__).encode()).decode()

    def _cleaned(self, body: bytes) -> bytes:
        # Some endpoints quote the key when they complain of it.
        if not self._secret or len(self._secret) < _SECRET:
            return body
        return body.replace(self._secret.encode(), _HIDDEN.encode())


async def _whole(answer: httpx.Response, longest: int) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > longest:
            break
    return bytes(body)
