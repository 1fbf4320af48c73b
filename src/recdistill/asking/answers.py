"""What came back, read from the raw answer each time anew: a better reader costs no call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.asking.costs import Usage
from recdistill.files import parse_json
from recdistill.texts import line

_GOOD = 200
_SHOWN = 200
"""Characters of a strange answer that an error quotes."""
_BELIEVED = 10**9
"""A count of tokens beyond this is a mistake, and as good as none."""


@dataclass(frozen=True)
class Answer:
    """What the model said, or why it did not. A refusal or a lasting error is an answer too: it is not asked again."""

    key: str
    """Of the question."""
    text: str | None = None
    refusal: str | None = None
    """Why the model would not, in its words, or the endpoint's."""
    finish: str | None = None
    """`stop`, or `length` where the text was cut at `max_tokens`."""
    logprobs: Any = None
    """As the endpoint gave them: a list of tokens with `logprob` and `top_logprobs`."""
    usage: Usage | None = None
    error: str | None = None
    """What was wrong with the answer."""
    lasting: bool = True
    """False of an error that may pass: nothing was kept, and the next `ask` asks again."""


def read(key: str, status: int, body: bytes) -> Answer:
    """Read a raw answer; whatever it is, there is an `Answer` for it."""
    try:
        told = parse_json(body)
    except ValueError:
        return Answer(key, error=f"HTTP {status}, not JSON: {_quoted(body)}")
    if status != _GOOD or not isinstance(told, dict) or told.get("error"):
        return Answer(key, error=f"HTTP {status}: {_complaint(told, body)}")
    return _spoken(key, told, body)


def _spoken(key: str, told: Mapping[str, Any], body: bytes) -> Answer:
    usage = read_usage(told.get("usage"))
    choice = _first(told.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        return Answer(key, usage=usage, error=f"no message in it: {_quoted(body)}")
    finish = _text(choice.get("finish_reason"))
    text, refusal = _text(message.get("content")), _text(message.get("refusal"))
    if finish == "content_filter":
        refusal = refusal or "content filter"
    if refusal is not None:
        return Answer(key, refusal=refusal, finish=finish, usage=usage)
    if text is None:
        return Answer(key, finish=finish, usage=usage, error=f"no text in it: {_quoted(body)}")
    return Answer(key, text, None, finish, _logprobs(choice), usage)


def read_usage(told: Any) -> Usage | None:
    """The tokens that the endpoint counted, where it says so."""
    if not isinstance(told, dict):
        return None
    prompt, completion = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    return None if prompt is None or completion is None else Usage(prompt, completion)


def _count(number: Any) -> int | None:
    counts = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _BELIEVED
    return number if counts else None


def _first(choices: Any) -> Mapping[str, Any]:
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    """A string; of a list of parts, what its texts say together."""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        value = "".join(part for part in parts if isinstance(part, str)) or None
    return value if isinstance(value, str) else None


def _logprobs(choice: Mapping[str, Any]) -> Any:
    told = choice.get("logprobs")
    return told.get("content") if isinstance(told, dict) else None


def _complaint(told: Any, body: bytes) -> str:
    if isinstance(told, list) and told:  # as Gemini wraps it
        told = told[0]
    error = told.get("error") if isinstance(told, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return line(message[:_SHOWN]) if isinstance(message, str) else _quoted(body)


def _quoted(body: bytes) -> str:
    return repr(body[:_SHOWN].decode("utf-8", "replace")) if body.strip() else "nothing"
