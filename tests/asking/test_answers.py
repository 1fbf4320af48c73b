"""Reading raw answers: whatever came, there is an answer for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.asking import Usage
from recdistill.asking.answers import Answer, read


def spoken(message: object, **more: object) -> bytes:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return json.dumps({"choices": [{"message": message, **more}], "usage": usage}).encode()


def test_a_plain_answer() -> None:
    logprobs = [{"token": "A", "logprob": -0.1, "top_logprobs": []}]
    body = spoken({"content": "A"}, finish_reason="stop", logprobs={"content": logprobs})
    assert read("k", 200, body) == Answer("k", "A", None, "stop", logprobs, Usage(3, 2))


def test_an_answer_in_parts() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}]
    assert read("k", 200, spoken({"content": parts})).text == "one two"


def test_half_a_character_is_marked_and_does_no_harm() -> None:
    """JSON can spell one, as of an emoji that was cut; no file and no tokenizer takes it."""
    answer = read("k", 200, spoken({"content": "a \ud83d b"}, finish_reason="\ude00"))
    assert (answer.text, answer.finish) == ("a \ufffd b", "\ufffd")
    assert read("k", 200, spoken({"refusal": "\ud83d"})).refusal == "\ufffd"
    assert read("k", 200, spoken({"content": "\ud83d\ude00"})).text == "\U0001f600"


def test_an_empty_text_is_a_text() -> None:
    assert read("k", 200, spoken({"content": ""}, finish_reason="length")).text == ""


@pytest.mark.parametrize(
    ("message", "more", "refusal"),
    [
        ({"content": None, "refusal": "No."}, {}, "No."),
        ({"content": "half a"}, {"finish_reason": "content_filter"}, "content filter"),
    ],
)
def test_refusals(message, more, refusal) -> None:
    answer = read("k", 200, spoken(message, **more))
    assert (answer.text, answer.refusal, answer.error) == (None, refusal, None)
    assert answer.usage == Usage(3, 2)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"", "not JSON: nothing"),
        (200, b"<html>", "not JSON: '<html>'"),
        (200, b"[" * 100_000, "not JSON"),
        (200, b"[]", "HTTP 200: '[]'"),
        (200, b"{}", "no message in it"),
        (200, b'{"choices": []}', "no message in it"),
        (200, b'{"choices": [{"message": "hi"}]}', "no message in it"),
        (200, spoken({"content": None, "tool_calls": []}), "no text in it"),
        (200, b'{"error": {"message": "overloaded", "code": 502}}', "HTTP 200: overloaded"),
        (400, b'{"error": {"message": "too long"}}', "HTTP 400: too long"),
        (400, b'[{"error": {"message": "too long"}}]', "HTTP 400: too long"),
        (400, b'{"error": "too long"}', "HTTP 400: too long"),
        (422, b'{"detail": [1]}', "HTTP 422: '{\"detail\": [1]}'"),
        (400, b'{"error": {"message": "\\u001b[2Jgone\\n"}}', "HTTP 400: [2Jgone"),
    ],
)
def test_what_is_wrong_is_said(status, body, error) -> None:
    answer = read("k", status, body)
    assert answer.text is None
    assert answer.lasting
    assert error in answer.error


@pytest.mark.parametrize(
    "usage", [None, [], {}, {"prompt_tokens": 3}, *({"prompt_tokens": n, "completion_tokens": 2} for n in
              (-1, 2.5, "3", True, None, 10**30))],
)  # fmt: skip
def test_a_usage_that_makes_no_sense_is_none(usage) -> None:
    body = json.dumps({"choices": [{"message": {"content": "A"}}], "usage": usage}).encode()
    assert read("k", 200, body).usage is None
    assert read("k", 200, body).text == "A"


WORDS = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "usage",
        "error",
        "refusal",
        "finish_reason",
        "logprobs",
        "text",
        "prompt_tokens",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from([200, 201, 400]),
    st.binary() | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_anything_can_be_read(status, body) -> None:
    answer = read("k", status, body)
    assert sum(said is not None for said in (answer.text, answer.refusal, answer.error)) == 1


@given(JSON)
def test_anything_can_be_read_in_place_of_a_message(message) -> None:
    answer = read("k", 200, spoken(message))
    assert sum(said is not None for said in (answer.text, answer.refusal, answer.error)) == 1
