"""The one door: whoever has no key gets no further, whatever they ask for, but for two questions."""

from __future__ import annotations

import math
from collections.abc import Collection

from recdistill.serving.keys import KeyRing
from recdistill.serving.pace import Pace
from recdistill.serving.problems import problem
from recdistill.serving.wire import App, Receive, Scope, Send, header

PUBLIC = frozenset({("GET", "/livez"), ("GET", "/readyz")})
"""All that is open to everybody."""
HOME = ("GET", "/")
"""Open too where there is a playground: a page that holds nothing of anybody."""
KEY = "recdistill.key"
"""Where in the scope the caller's key lies, from here on."""


class Gate:
    """Wraps an application; a new route behind it is closed by being there."""

    def __init__(
        self,
        app: App,
        keys: KeyRing,
        pace: Pace,
        public: Collection[tuple[str, str]] = PUBLIC,
    ) -> None:
        self._app, self._keys, self._pace, self._public = app, keys, pace, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in.

        Raises:
            ProblemError: 401 without a valid key, 429 where a key asks too often.
        """
        if (scope["method"], scope["path"]) not in self._public:
            scope[KEY] = self._admit(header(scope, b"authorization"))
        await self._app(scope, receive, send)

    def _admit(self, credentials: str) -> object:
        scheme, _, token = credentials.partition(" ")
        key = self._keys.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise problem("no-key", hint="Send it as: Authorization: Bearer rd_…")
        if wait := self._pace.wait(key.id):
            raise problem("too-many-requests", retry_after=max(1, math.ceil(wait)))
        return key
