"""Nobody gets in without a key, and no key further than its scopes."""

from __future__ import annotations

import itertools

import pytest

from recdistill.serving.gate import PUBLIC
from recdistill.serving.keys import SCOPES, make_key

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
BODY = {"history": [], "requests": [{"history": []}], "item": "i0001"}


def example(operation):
    return None if operation.asked is None else __import__("msgspec").to_builtins(operation.asked)


def paths_of(app):
    """Every address of the router, and some that are none."""
    known = {each.path.replace("{" + each.parameter + "}", "somebody") for each in app.operations}
    return [
        *sorted(known),
        "/",
        "/v1",
        "/livez/",
        "//livez",
        "/v1/%2e%2e/livez",
        "/v1/users/",
        "/docs",
    ]


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer rd_0_0", "Bearer \xff_\xfe"]
)
def test_every_address_and_method_is_closed_but_two(client, header) -> None:
    async def walk(http):
        http.headers.pop("authorization")
        credentials = {} if header is None else {"authorization": header.encode("latin-1")}
        pairs = itertools.product(METHODS, paths_of(client.app))
        return {
            (method, path): await http.request(method, path, json=BODY, headers=credentials)
            for method, path in pairs
        }

    answers = client.run(walk)
    assert len(answers) > 100
    opened = {pair for pair, answer in answers.items() if answer.status_code != 401}
    assert opened == PUBLIC == {("GET", "/livez"), ("GET", "/readyz")}
    closed = answers[("POST", "/v1/recommend")]
    assert closed.headers["content-type"] == "application/problem+json"
    assert closed.headers["www-authenticate"].startswith("Bearer")


def test_a_key_that_is_nearly_right_is_wrong(client) -> None:
    token = client.token
    for wrong in (token[:-1], token + "x", token.swapcase(), token.replace("rd_", "sk_")):
        answer = client.get("/version", headers={"authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
    assert client.get("/version").status_code == 200


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_what_its_scope_says_and_nothing_else(serve, scope) -> None:
    client = serve(scopes=[scope])
    for each in client.app.operations:
        path = each.path.replace("{" + each.parameter + "}", "somebody")
        answer = client.ask(each.method, path, example(each))
        expected_403 = each.access not in (scope, "any-key", "anyone")
        assert (answer.status_code == 403) == expected_403, (each.method, path, answer.text)


def test_with_a_key_unknown_addresses_and_methods_are_told_apart(client) -> None:
    assert client.get("/v1/recommended").status_code == 404
    answer = client.get("/v1/recommend")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_key_that_asks_too_often_waits_and_others_do_not(serve, student) -> None:
    client = serve(rate=0.5, burst=3)
    answers = [client.get("/version") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) == 2
    assert client.get("/livez").status_code == 200


def test_web_sockets_are_not_spoken(client) -> None:
    import asyncio

    async def send(message):
        raise AssertionError(message)

    asyncio.run(client.app({"type": "websocket", "path": "/", "headers": []}, None, send))


def test_a_handler_that_lost_its_gate_stays_closed(client) -> None:
    """The router asks for a key itself: forgetting the gate opens nothing."""
    from served import Client

    from recdistill.serving.limits import Limits
    from recdistill.serving.problems import ProblemError
    from recdistill.serving.router import Router

    bare = Client(Router(client.app.operations, Limits()), make_key(SCOPES)[1])
    with bare._runner, pytest.raises(ProblemError) as refused:
        bare.get("/version")
    assert refused.value.problem.status == 401
