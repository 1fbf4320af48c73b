"""The one door: whoever has no key gets no further, whatever they ask for, but for two questions."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Protocol

from recdistill.serving.keys import Caller, KeyRing
from recdistill.serving.pace import Pace
from recdistill.serving.problems import problem
from recdistill.serving.wire import App, Receive, Scope, Send, header

PUBLIC = frozenset({("GET", "/livez"), ("GET", "/readyz")})
"""All that is open to everybody."""
HOME = ("GET", "/")
"""Open too where there is a playground: a page that holds nothing of anybody."""
KEY = "recdistill.key"
"""Where in the scope the caller's key lies, from here on."""


class Finder(Protocol):
    """Knows who bears a token."""

    async def find(self, token: str) -> Caller | None:
        """Who it is; `None` for nobody."""
        ...


class Gate:
    """Wraps an application; a new route behind it is closed by being there."""

    def __init__(
        self,
        app: App,
        keys: KeyRing | None,
        tokens: Finder | None,
        pace: Pace,
        public: Collection[tuple[str, str]] = PUBLIC,
    ) -> None:
        """Without `keys` no key opens, without `tokens` no token does."""
        self._app, self._keys, self._tokens = app, keys, tokens
        self._pace, self._public = pace, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in.

        Raises:
            ProblemError: 401 without a valid key, 429 where a key asks too often.
        """
        if (scope["method"], scope["path"]) not in self._public:
            scope[KEY] = await self._admit(header(scope, b"authorization"))
        await self._app(scope, receive, send)

    async def _admit(self, credentials: str) -> Caller:
        scheme, _, token = credentials.partition(" ")
        caller = await self._find(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise problem("no-key", hint="Send it as: Authorization: Bearer rd_…")
        if wait := self._pace.wait(caller.id):
            raise problem("too-many-requests", retry_after=max(1, math.ceil(wait)))
        return caller

    async def _find(self, token: str) -> Caller | None:
        # Of a key there are no dots, of a token there are two.
        if self._tokens is not None and "." in token:
            return await self._tokens.find(token)
        return self._keys.find(token) if self._keys else None
