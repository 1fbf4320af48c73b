"""An operation as data: router, OpenAPI document, checks of scopes and tests all read the same table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from recdistill.serving.keys import Caller, Scope

Access = Scope | Literal["any-key", "anyone"]


@dataclass(frozen=True)
class Call:
    """A request that was let in and understood."""

    body: Any
    """An instance of the operation's `takes`."""
    name: str
    """What the address names in place of its parameter; empty where it has none."""
    key: Caller | None


@dataclass(frozen=True)
class Operation:
    """A method of an address, and what it does.

    Attributes:
        path: may end in one parameter, as in `/v1/users/{user}`.
        access: the scope that a key needs, `any-key`, or `anyone`.
        takes: the type of the body; `None` for none.
        gives: the type of the answer, or the media type of one that is no JSON.
        problems: kinds of problems of its own.
    """

    method: str
    path: str
    access: Access
    summary: str
    handler: Callable[[Call], Awaitable[object]]
    gives: type[msgspec.Struct] | str
    takes: type[msgspec.Struct] | None = None
    asked: msgspec.Struct | None = None
    """An example of a body."""
    said: msgspec.Struct | None = None
    """An example of an answer."""
    problems: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        """The name of its parameter; empty where it has none."""
        return self.path.partition("{")[2].rstrip("}")

    @property
    def name(self) -> str:
        """Method and path in one word, such as `post_v1_recommend`."""
        if self.path == "/":
            return f"{self.method.lower()}_home"
        words = self.path.replace("{", "").replace("}", "").strip("/").replace(".", "/").split("/")
        return "_".join([self.method.lower(), *words])

    @property
    def kinds_of_problems(self) -> tuple[str, ...]:
        """Every kind of problem that may be answered, in order of their status."""
        general = ("internal", "busy", "deadline", "not-ready")
        keyed = () if self.access == "anyone" else ("no-key", "wrong-scope", "too-many-requests")
        bodily = ("not-json", "too-slow", "too-large", "not-json-type", "invalid")
        return (*general, *keyed, *(bodily if self.takes else ()), *self.problems)
