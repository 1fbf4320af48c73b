"""What makes two requests the same question."""

from __future__ import annotations

import hashlib
import json

import pytest
from billed import request

from recdistill.asking import EndpointConfig, Message, Prices, Request
from recdistill.asking.requests import Question
from recdistill.errors import ConfigError

HERE = EndpointConfig(base_url="https://api.example.com/v1", model="teacher-2026")


def key(of: Request, **changed) -> str:
    return of.key(HERE.model_copy(update=changed))


def test_the_key_is_the_hash_of_who_is_asked_and_of_what_is_sent() -> None:
    body = '{"max_tokens":5,"messages":[{"content":"é?","role":"user"}],"model":"teacher-2026","temperature":0}'
    by_hand = hashlib.sha256(f"https://api.example.com/v1\n{body}".encode()).hexdigest()
    assert request("é?", max_tokens=5).key(HERE) == by_hand
    assert Question(request("é?", max_tokens=5), HERE).body == body


def test_the_order_of_options_and_the_spelling_of_numbers_do_not_count() -> None:
    turns = (Message("user", "hi"),)
    one = Request(turns, {"temperature": 0.0, "max_tokens": 10, "stop": ["a", "b"]})
    other = Request(turns, {"stop": ("a", "b"), "max_tokens": 10, "temperature": 0})
    assert key(one) == key(other)


@pytest.mark.parametrize(
    "changed",
    [
        {"api_key_env": "KEY"},
        {"prices": Prices(input=1)},
        {"timeout": 1.0},
        {"concurrency": 99},
        {"base_url": "https://API.example.com:443/v1"},
    ],
)
def test_how_an_answer_is_got_does_not_count(changed) -> None:
    assert key(request("hi"), **changed) == key(request("hi"))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "teacher-2027"},
        {"base_url": "http://api.example.com/v1"},
        {"base_url": "https://api.example.com:8443/v1"},
        {"base_url": "https://api.example.com/v2"},
        {"known_as": "ours"},
    ],
)
def test_who_answers_counts(changed) -> None:
    assert key(request("hi"), **changed) != key(request("hi"))


def test_a_server_that_moves_is_known_by_its_name() -> None:
    moved = {"known_as": "our vLLM", "base_url": "http://localhost:9999/v1"}
    assert key(request("hi"), known_as="our vLLM") == key(request("hi"), **moved)


def test_every_part_of_the_request_counts() -> None:
    asked = [
        request("hi"),
        request("hi "),
        request("hí"),
        request("hi\u0301"),
        request("hi", seed=1),
        request("hi", seed=2),
        request("hi", temperature=0.5),
        request("hi", max_tokens=51),
        Request((Message("system", "hi"),), request("hi").options),
        Request((Message("user", "hi"), Message("user", "")), request("hi").options),
    ]
    assert len({key(one) for one in asked}) == len(asked)


def held_to(schema: object, name: str = "ranking", **more: object) -> Request:
    form = {"type": "json_schema", "json_schema": {"name": name, "schema": schema, **more}}
    return request("hi", max_tokens=5, response_format=form)


def test_what_a_schema_says_does_not_count() -> None:
    """A golden key: the schema's name alone is hashed; what is sent has all of it."""
    asked = held_to({"type": "object"}, strict=True)
    body = (
        '{"max_tokens":5,"messages":[{"content":"hi","role":"user"}],"model":"teacher-2026","response_format":'
        '{"json_schema":{"name":"ranking"},"type":"json_schema"},"temperature":0}'
    )
    by_hand = hashlib.sha256(f"https://api.example.com/v1\n{body}".encode()).hexdigest()
    assert key(asked) == by_hand
    assert by_hand == "d7b6db80bfe531805bf0fd89832109b0f56b299eeb525d7304944679dc7424ff"
    assert key(held_to({"type": "array", "minItems": 0.5})) == by_hand
    sent = json.loads(Question(asked, HERE).body)["response_format"]["json_schema"]
    assert sent == {"name": "ranking", "schema": {"type": "object"}, "strict": True}


def test_whether_there_is_a_schema_and_what_it_is_called_does_count() -> None:
    asked = [
        held_to({}),
        held_to({}, name="profile"),
        request("hi", max_tokens=5, response_format={"type": "json_object"}),
        request("hi", max_tokens=5, response_format={"type": "json_schema", "json_schema": None}),
        request("hi", max_tokens=5),
        request('hi "json_schema": {"name": "ranking"}', max_tokens=5),
    ]
    assert len({key(one) for one in asked}) == len(asked)


@pytest.mark.parametrize("name", ["tools", "tool_choice", "functions", "web_search_options"])
def test_a_teacher_has_no_tools(name) -> None:
    with pytest.raises(ConfigError, match=f"cannot set {name}") as refused:
        key(request("hi", **{name: []}))
    assert "talk a model with tools" in refused.value.hint


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n", "best_of"])
def test_options_cannot_say_what_the_endpoint_says(name) -> None:
    with pytest.raises(ConfigError, match=name):
        key(request("hi", **{name: 1}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_json_cannot_say_is_refused(value) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        key(request("hi", extra=value))


@pytest.mark.parametrize("text", ["\ud800", "a title with half a smile \udf00"])
def test_half_a_surrogate_pair_is_refused(text) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        key(request(text))
    with pytest.raises(ConfigError, match="JSON"):
        key(request("hi", stop=[text]))


@pytest.mark.parametrize("value", ["many", 1.5, 0, True])
def test_an_answer_is_bounded_by_a_number(value) -> None:
    with pytest.raises(ConfigError, match="tokens at most"):
        _ = Question(request("hi", max_tokens=value), HERE).worst


def test_of_two_bounds_the_larger_is_the_worst_case() -> None:
    """Which of them an endpoint keeps to nobody can know."""
    for small, large in (
        ("max_tokens", "max_completion_tokens"),
        ("max_completion_tokens", "max_tokens"),
    ):
        both = Request((Message("user", "hi"),), {small: 10, large: 5_000})
        assert Question(both, HERE).longest_reply == 5_000
    wrong = request("hi", max_tokens=10, max_completion_tokens="many")
    with pytest.raises(ConfigError, match="tokens at most"):
        _ = Question(wrong, HERE).worst
    assert (
        Question(request("hi", max_tokens=7, max_completion_tokens=None), HERE).longest_reply == 7
    )


@pytest.mark.parametrize(
    "text", ["plain words", "日本語の映画", "🎬🎥", "\ufdfa" * 5, '\x00\x01\n\\"']
)
def test_the_worst_case_has_a_token_for_each_byte_in_any_normal_form(text) -> None:
    import unicodedata

    worst = Question(request(text, max_tokens=7), HERE).worst
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert worst.tokens - 7 >= max(len(form.encode()) for form in [text, *forms])


def test_the_worst_case_in_money_by_hand() -> None:
    priced = HERE.model_copy(update={"prices": Prices(input=0.15, output=0.6)})
    worst = Question(request("abc", max_tokens=100), priced).worst
    body = json.dumps({"max_tokens": 100, "messages": [{"content": "abc", "role": "user"}], "model": "teacher-2026",
                       "temperature": 0}, separators=(",", ":"))  # fmt: skip
    prompt = len(body) + 256
    assert worst.tokens == prompt + 100
    assert worst.picos == prompt * 150_000 + 100 * 600_000


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com/v1",
        "ftp://example.com",
        "http://example.com:abc/v1",
        "http://example.com:99999/v1",
        "http://example.com:0/v1",
        "https://me:secret@example.com/v1",
        "https://example.com/v1?key=secret",
    ],
)
def test_an_address_holds_no_secret(url) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        EndpointConfig(base_url=url, model="m")
    assert refused.type.__name__ == "ValidationError"
