"""A client for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

import httpx

from recdistill.client import questions
from recdistill.client.persistence import Attempts, Persistence, headers, understood, unreachable
from recdistill.client.questions import Given, Item, Options, Question
from recdistill.errors import EndpointError, RequestError
from recdistill.serving.keeping_messages import Acknowledged, Forgotten, SentEvent, UserHistory
from recdistill.serving.messages import Recommendations, RecommendRequest, Version
from recdistill.serving.showing_messages import Named
from recdistill.serving.stock.messages import NewItem, Removed, Stocked


class AsyncClient:
    """Asks a server; for one event loop.

    What may succeed later is repeated (`Persistence`): nothing answers, or it answers 408, 429, 502, 503 or 504.
    That is safe: events count once by their ids, and everything else says what shall be, not what shall change.

    >>> async with AsyncClient("http://127.0.0.1:8000", key) as client:  # doctest: +SKIP
    ...     (await client.recommend(["50", "181"], k=5)).items[0].title
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 5.0,
        persistence: Persistence | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """A client of the server at `url`.

        Args:
            url: such as `https://recommend.example.org`.
            key: an API key; by default `$RECDISTILL_API_KEY`.
            timeout: seconds that an attempt may take.
            persistence: how often a request is repeated.
            transport: what carries requests, in place of sockets.

        Raises:
            ConfigError: there is no key.
        """
        self._url, self._persistence = url.rstrip("/"), persistence or Persistence()
        self._http = httpx.AsyncClient(headers=headers(key), timeout=timeout, transport=transport)

    async def recommend(
        self, history: Sequence[Item] | None = None, **options: Unpack[Options]
    ) -> Recommendations:
        """The best items after a history (oldest item first), or for a `user` whose events were sent.

        Raises:
            RequestError: the server refused it; `kind`, `field` and the hint say why.
            EndpointError: nothing answers, or something else does.
        """
        return await self._ask(questions.recommend(history, options))

    async def recommend_many(self, requests: Sequence[RecommendRequest]) -> list[Recommendations]:
        """A list for each request, all by the same bundle."""
        return (await self._ask(questions.recommend_many(requests))).answers

    async def similar(self, item: Item, k: int = 10) -> Recommendations:
        """The items most like one."""
        return await self._ask(questions.similar(item, k))

    async def search(self, text: str, k: int = 10) -> list[Named]:
        """Items by words of their titles."""
        return (await self._ask(questions.search(text, k))).items

    async def remember(self, events: Sequence[SentEvent]) -> Acknowledged:
        """Send what users did. When this returns it is on the server's disk, each event once."""
        return await self._ask(questions.remember(events))

    async def user(self, name: str) -> UserHistory:
        """All that is kept of a user."""
        return await self._ask(questions.user(name))

    async def forget(self, name: str) -> Forgotten:
        """Forget a user."""
        return await self._ask(questions.forget(name))

    async def add_items(self, items: Sequence[NewItem]) -> Stocked:
        """Items that are new, or of which something new is said: recommended from now on."""
        return await self._ask(questions.add_items(items))

    async def remove_item(self, item: Item) -> Removed:
        """Recommend an item no more."""
        return await self._ask(questions.remove_item(item))

    async def version(self) -> Version:
        """Which program and which bundle answer."""
        return await self._ask(questions.version())

    async def ready(self) -> bool:
        """Whether the server can answer now; nothing is repeated to find out."""
        try:
            await self._ask(questions.ready(), Persistence(attempts=1))
        except (RequestError, EndpointError):
            return False
        return True

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _ask(
        self, question: Question[Given], persistence: Persistence | None = None
    ) -> Given:
        attempts = Attempts(persistence or self._persistence)
        while True:
            try:
                answer = await self._send(question)
            except httpx.TransportError as error:
                wait, failed = attempts.wait_after_silence(), error
                if wait is None:
                    raise unreachable(self._url, failed) from None
            else:
                wait = attempts.wait_after(answer.status_code, answer.headers)
                if wait is None:
                    return understood(question, answer.status_code, answer.content)
            await asyncio.sleep(wait)

    async def _send(self, question: Question[Given]) -> httpx.Response:
        kind = {"content-type": "application/json"} if question.body else {}
        where = self._url + question.path
        return await self._http.request(
            question.method, where, content=question.content(), headers=kind
        )
