"""What the server says when it cannot do what was asked: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from recdistill.errors import DataError, RecDistillError, StorageError


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer, for programs (`type`, `status`, `field`) and for people (`title`, `detail`, `hint`)."""

    type: str
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    field: str = ""
    """Where in the body it lies, such as `$.k`."""


class ProblemError(Exception):
    """An answer that is a problem, and the headers that go with it."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.title)
        self.problem, self.headers = problem, dict(headers or {})


_TITLES = {
    "not-http": (400, "This is no HTTP request."),
    "not-json": (400, "The body is not valid JSON."),
    "no-key": (401, "This needs an API key."),
    "wrong-scope": (403, "The API key may not do this."),
    "not-found": (404, "There is nothing at this address."),
    "no-item": (404, "There is no such item."),
    "wrong-method": (405, "This address does not know this method."),
    "too-slow": (408, "The body took too long to arrive."),
    "event-conflict": (409, "An event's id already names another event."),
    "too-many-items": (
        409,
        "No more items can be kept beside the bundle: a student should learn of them.",
    ),
    "too-large": (413, "The body is too large."),
    "not-json-type": (415, "The body must be plain application/json."),
    "invalid": (422, "The request does not say what it must."),
    "unknown-item": (422, "An item is not in the catalogue."),
    "unknown-rule": (422, "The server has no such rule, or key of a context."),
    "no-vector": (422, "Nothing says what the item is like."),
    "wrong-width": (422, "The vector is not one of this bundle's space."),
    "no-text-encoder": (422, "This bundle holds no text encoder: it cannot read texts."),
    "head-too-large": (431, "The address and header fields are too large."),
    "too-many-requests": (429, "This key asks too often."),
    "internal": (500, "Something went wrong here."),
    "busy": (503, "The server is busy."),
    "deadline": (503, "The answer took too long."),
    "not-ready": (503, "The server is not ready."),
    "storage": (503, "What is kept cannot be read or written now."),
}
KINDS = tuple(_TITLES)
"""Every problem that there is; its `type` is `urn:recdistill:problem:` and one of these."""


def problem(
    kind: str, detail: str = "", hint: str = "", field: str = "", retry_after: int | None = None
) -> ProblemError:
    """The problem of a kind, ready to be raised; `retry_after` is in seconds."""
    status, title = _TITLES[kind]
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="recdistill"'
    return ProblemError(
        Problem(f"urn:recdistill:problem:{kind}", title, status, detail, hint, field), headers
    )


def status_of(kind: str) -> int:
    """The HTTP status of a kind of problem."""
    return _TITLES[kind][0]


def from_error(error: RecDistillError) -> ProblemError:
    """What an error of the library is to a client; of those that are no client's fault it tells nothing."""
    if isinstance(error, DataError):
        return problem("unknown-item", error.message, error.hint)
    if isinstance(error, StorageError):
        return problem("storage", retry_after=5)
    return problem("internal")
