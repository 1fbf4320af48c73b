"""From a request that was let in to the operation it means, and from what that gives to bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from recdistill.errors import nearest
from recdistill.serving.gate import KEY
from recdistill.serving.keys import Caller
from recdistill.serving.limits import Limits
from recdistill.serving.operations import Call, Operation
from recdistill.serving.problems import ProblemError, problem
from recdistill.serving.wire import (
    JSON,
    Receive,
    Scope,
    Send,
    answer_of,
    header,
    read_body,
    respond,
)

OPERATION = "recdistill.operation"
"""Where in the scope the operation lies, once it is known."""


class Router:
    """An application that answers by a table of operations."""

    def __init__(self, operations: Iterable[Operation], limits: Limits) -> None:
        self.operations, self._limits = tuple(operations), limits
        self._decoders = {
            each.name: msgspec.json.Decoder(each.takes) for each in self.operations if each.takes
        }
        self._exact: dict[str, dict[str, Operation]] = {}
        self._prefixes: dict[str, dict[str, Operation]] = {}
        for each in self.operations:
            table = self._prefixes if each.parameter else self._exact
            table.setdefault(each.path.partition("{")[0], {})[each.method] = each

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            ProblemError: there is no such operation, the key may not use it, or it has no answer.
        """
        operation, name = self._find(scope["method"], scope["path"])
        scope[OPERATION] = operation
        key = scope.get(KEY)
        _require_scope(operation, key)
        body = await self._body(operation, scope, receive)
        try:
            async with asyncio.timeout(self._limits.deadline):
                answer = answer_of(await operation.handler(Call(body, name, key)))
        except TimeoutError:
            raise problem("deadline", retry_after=1) from None
        await respond(send, answer)

    def _find(self, method: str, path: str) -> tuple[Operation, str]:
        # An item may be called as an operation is: where that does not know the method, the name is meant.
        places = [p for p in self._prefixes if path.startswith(p) and path != p]
        named = [(self._prefixes[place], path.removeprefix(place)) for place in places]
        choices = [(self._exact.get(path, {}), ""), *named]
        for methods, name in choices:
            if method in methods:
                return methods[method], name
        known = ", ".join(sorted({each for methods, _ in choices for each in methods}))
        if not known:
            raise problem("not-found")
        error = problem("wrong-method", f"It knows {known}.")
        error.headers["allow"] = known
        raise error

    async def _body(self, operation: Operation, scope: Scope, receive: Receive) -> Any:
        if operation.takes is None:
            return None
        kind = header(scope, b"content-type").partition(";")[0].strip().lower()
        if kind != JSON or header(scope, b"content-encoding") not in ("", "identity"):
            raise problem("not-json-type")
        try:
            async with asyncio.timeout(self._limits.arrival):
                data = await read_body(scope, receive, self._limits.body)
        except TimeoutError:
            raise problem("too-slow") from None
        return self._decoded(operation, operation.takes, data)

    def _decoded(self, operation: Operation, takes: type[msgspec.Struct], data: bytes) -> Any:
        try:
            return self._decoders[operation.name].decode(data)
        except msgspec.ValidationError as error:
            raise _invalid(error, takes) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise problem("not-json", str(error)) from None


def _require_scope(operation: Operation, key: Caller | None) -> None:
    if operation.access == "anyone":
        return
    if key is None:  # the gate has been taken away: then nobody gets in
        raise problem("no-key")
    if operation.access != "any-key" and operation.access not in key.scopes:
        granted = ", ".join(key.scopes)
        raise problem("wrong-scope", f"This needs '{operation.access}'; the key has {granted}.")


def _invalid(error: msgspec.ValidationError, takes: type[msgspec.Struct]) -> ProblemError:
    """What is wrong, where, and which field was meant."""
    said, _, where = str(error).partition(" - at ")
    _, unknown, rest = said.partition("unknown field `")
    hint = nearest(rest.rstrip("`"), sorted(_fields(takes))) if unknown else ""
    return problem("invalid", f"{said}.", hint, where.strip("`") or "$")


def _fields(struct: type[msgspec.Struct]) -> set[str]:
    """The names of all fields of a type, those of the types within it too."""
    names, left, seen = set[str](), [struct], set[type]()
    while left:
        here = left.pop()
        seen.add(here)
        for field in msgspec.structs.fields(here):
            names.add(field.encode_name)
            left += [inner for inner in _structs_within(field.type) if inner not in seen]
    return names


def _structs_within(annotation: Any) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [found for each in inner for found in _structs_within(each)]
