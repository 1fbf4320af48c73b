"""Both clients against a real server on a socket, and against servers that are not well."""

from __future__ import annotations

import asyncio
import inspect
import json
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import listening

import recdistill as rd
from recdistill.client import Client, NewItem, RecommendRequest, SentEvent
from recdistill.client.persistence import Attempts, Persistence
from recdistill.errors import ConfigError, EndpointError, RecDistillError, RequestError
from recdistill.serving.answering import open_student
from recdistill.serving.app import Application
from recdistill.serving.beside import Beside
from recdistill.serving.histories.opening import open_store
from recdistill.serving.keys import SCOPES, KeyRing, make_key
from recdistill.serving.limits import Limits
from recdistill.serving.rules import Rule, Rules
from recdistill.serving.shelf import Shelf
from recdistill.serving.stock.store import StockStore


class Waiting:
    """The asynchronous client, spoken to like the other."""

    def __init__(self, *arguments, **options) -> None:
        self._runner = asyncio.Runner()
        self._client = rd.AsyncClient(*arguments, **options)

    def __getattr__(self, verb):
        def ask(*arguments, **options):
            return self._runner.run(getattr(self._client, verb)(*arguments, **options))

        return ask

    def __enter__(self):
        return self

    def __exit__(self, *trouble) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


KINDS = pytest.mark.parametrize("kind", [rd.Client, Waiting])


@pytest.fixture(scope="module")
def server(tiny_dataset, tmp_path_factory):
    from recdistill.bundle.export import export
    from recdistill.models.sasrec import SASRec

    folder = tmp_path_factory.mktemp("served")
    model = SASRec.for_dataset(tiny_dataset, width=16, heads=2, blocks=1, history=8, seed=3)
    export(model, tiny_dataset, folder / "bundle")
    student = open_student(folder / "bundle")
    store = open_store(str(folder / "data" / "h.sqlite"), folder / "secrets" / "key")
    rules = Rules({"tender": Rule(allow={"genres": ("romance",)}, when={"mood": ("soft",)})})
    beside = Beside(StockStore(folder / "items.sqlite"), rules)
    key, token = make_key(SCOPES)
    limits = Limits(deadline=20, patience=10)
    app = Application(Shelf(student), KeyRing([key]), limits, store, None, beside)
    with listening(app) as (_, port):
        yield f"http://127.0.0.1:{port}/", token, student
    app.close()


@KINDS
def test_every_verb_on_a_real_server(server, kind) -> None:
    url, token, student = server
    with kind(url, token) as client:
        assert client.ready() is True
        assert client.version().bundle == student.digest
        told = client.recommend(["i0003", "who?"], k=4, exclude=["i0001"], explain=True)
        request = RecommendRequest(history=["i0003", "who?"], k=4, exclude=["i0001"], explain=True)
        assert told == student.recommend([request])[0]
        assert told.items[0].because
        some = client.recommend([], k=40, rules=["tender"], context={"mood": "soft"})
        assert {int(one.item[1:]) % 5 for one in some.items} == {1}
        requests = [RecommendRequest(history=[f"i{n:04d}"], k=n + 1) for n in range(3)]
        assert client.recommend_many(requests) == student.recommend(requests)
        assert len(client.similar("i0004", 7).items) == 7
        assert client.search("story 17")[0].item == "i0017"
        user, event = f"ann/é?{kind.__name__}", f"order-{kind.__name__}"
        assert client.remember([SentEvent(event, user, "i0005", 5.0)]).new == 1
        assert client.remember([SentEvent(event, user, "i0005", 5.0)]).new == 0
        assert [one.item for one in client.user(user).events] == ["i0005"]
        assert client.recommend(user=user) == client.recommend(["i0005"])
        assert client.forget(user).events == 1
        assert client.add_items([NewItem("new/1", like=["i0001"])]).accepted == 1
        assert "new/1" in [one.item for one in client.recommend([], k=60).items]
        assert client.remove_item("new/1").item == "new/1"


@KINDS
@pytest.mark.parametrize(
    ("verb", "options", "status", "problem", "field"),
    [
        (
            "recommend",
            {"history": [], "candidates": ["i00011"]},
            422,
            "unknown-item",
            "$.candidates[0]",
        ),
        ("recommend", {"history": [], "rules": ["tendr"]}, 422, "unknown-rule", "$.rules"),
        ("recommend", {}, 422, "invalid", "$"),
        ("similar", {"item": "nothing"}, 422, "unknown-item", ""),
        ("remove_item", {"item": "nothing"}, 404, "no-item", ""),
    ],
)
def test_refusals_are_errors_that_say_why(
    server, kind, verb, options, status, problem, field
) -> None:
    url, token, _ = server
    with kind(url, token) as client, pytest.raises(RequestError) as caught:
        getattr(client, verb)(**options)
    assert isinstance(caught.value, RecDistillError)
    assert (caught.value.status, caught.value.kind, caught.value.field) == (status, problem, field)
    if problem == "unknown-rule":
        assert "'tender'" in caught.value.hint


@KINDS
def test_without_a_good_key_nothing_is_had(server, kind, monkeypatch) -> None:
    url, token, _ = server
    with kind(url, "rd_00000000_no") as client, pytest.raises(RequestError) as caught:
        client.version()
    assert (caught.value.status, caught.value.kind) == (401, "no-key")
    assert "rd_0" not in str(caught.value)
    monkeypatch.delenv("RECDISTILL_API_KEY", raising=False)
    for bad in (None, "", "two words", "new\nline", "ключ"):
        with pytest.raises(ConfigError, match="API key"):
            kind(url, bad)
    monkeypatch.setenv("RECDISTILL_API_KEY", token)
    with kind(url) as client:
        assert client.version().items


def test_what_no_server_would_take_is_not_sent() -> None:
    def never(request):
        raise AssertionError("it was sent")

    with rd.Client("http://x", "k", transport=httpx.MockTransport(never)) as client:
        for wrong in ({"k": 0}, {"k": "many"}, {"histroy": []}, {"candidates": "i0001"}):
            with pytest.raises(ConfigError):
                client.recommend([], **wrong)


GOOD = {"items": [], "bundle": "3f1c"}


class Moody:
    """Answers by a script: numbers are statuses, pairs come with what `Retry-After` says, errors are raised."""

    def __init__(self, *script) -> None:
        self.script, self.asked = list(script), 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        status, after = step if isinstance(step, tuple) else (step, None)
        if status == 200:
            return httpx.Response(200, json=GOOD)
        headers = {} if after is None else {"retry-after": after}
        title = {"type": "urn:recdistill:problem:busy", "title": "Busy.", "status": status}
        return httpx.Response(status, json=title, headers=headers)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Waits that were asked for; nobody waits."""
    asked: list[float] = []

    async def later(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("recdistill.client.synchronous.time", SimpleNamespace(sleep=asked.append))
    monkeypatch.setattr("recdistill.client.asynchronous.asyncio", SimpleNamespace(sleep=later))
    return asked


@KINDS
@pytest.mark.parametrize(
    "trouble", [429, 503, 502, 504, 408, httpx.ConnectError("x"), httpx.ReadTimeout("x")]
)
def test_what_may_pass_is_repeated(waits, kind, trouble) -> None:
    moody = Moody(trouble, trouble, 200)
    with kind("http://x", "k", transport=httpx.MockTransport(moody)) as client:
        assert client.recommend([]).bundle == "3f1c"
    assert moody.asked == 3
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.1
    assert 0 <= waits[1] <= 0.2


@KINDS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500])
def test_what_stays_is_said_once(waits, kind, status) -> None:
    moody = Moody(status, 200)
    with (
        kind("http://x", "k", transport=httpx.MockTransport(moody)) as client,
        pytest.raises(RequestError) as caught,
    ):
        client.recommend([])
    assert (caught.value.status, moody.asked, waits) == (status, 1, [])


@KINDS
def test_retry_after_is_kept_to_and_too_long_is_too_long(waits, kind) -> None:
    moody = Moody((503, "7"), (429, "2"), 200)
    with kind("http://x", "k", transport=httpx.MockTransport(moody)) as client:
        client.recommend([])
    assert 7 <= waits[0] <= 7.1
    assert 2 <= waits[1] <= 2.2
    moody = Moody((503, "3600"), 200)
    with (
        kind("http://x", "k", transport=httpx.MockTransport(moody)) as client,
        pytest.raises(RequestError) as caught,
    ):
        client.recommend([])
    assert (caught.value.status, moody.asked) == (503, 1)


@KINDS
def test_nobody_there_is_an_error_after_all_attempts(waits, kind) -> None:
    moody = Moody(*[httpx.ConnectError("no")] * 9)
    client = kind("http://x", "k", transport=httpx.MockTransport(moody))
    with pytest.raises(EndpointError, match="http://x does not answer"):
        client.recommend([])
    assert moody.asked == 4
    with client:
        assert client.ready() is False
    assert moody.asked == 5


@KINDS
@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"items": 3}', b"\xff"])
def test_other_servers_are_told_apart(kind, content) -> None:
    for status in (200, 404):
        transport = httpx.MockTransport(lambda r, s=status: httpx.Response(s, content=content))
        with (
            kind("http://x", "k", transport=transport) as client,
            pytest.raises(EndpointError, match="no server of bundles"),
        ):
            client.version()


@given(st.integers(1, 8), st.lists(st.floats(0, 30), min_size=10, max_size=10))
def test_waits_stay_within_patience_and_attempts(attempts, asked) -> None:
    one, waited = Attempts(Persistence(attempts=attempts, patience=40.0, pause=0.1)), []
    for number, after in enumerate(asked):
        wait = one.wait_after(503, {"retry-after": f"{after:.3f}"})
        if wait is None:
            break
        assert wait >= round(after, 3)
        assert wait <= round(after, 3) + 0.1 * 2**number
        waited.append(wait)
    assert len(waited) < attempts
    assert sum(waited) <= 40


def test_both_have_the_same_verbs() -> None:
    def verbs(kind):
        found = inspect.getmembers(kind, inspect.isfunction)
        return {n: str(inspect.signature(f)) for n, f in found if not n.startswith("_")}

    one, other = verbs(Client), verbs(rd.AsyncClient)
    other["close"] = other.pop("aclose")
    assert one == other
    assert len(one) > 10


def test_messages_say_all_that_the_problem_says() -> None:
    told = {"type": "urn:recdistill:problem:invalid", "title": "It is wrong.", "status": 422,
            "detail": "Too many.", "hint": "Fewer.", "field": "$.k"}  # fmt: skip
    transport = httpx.MockTransport(lambda r: httpx.Response(422, content=json.dumps(told)))
    with (
        rd.Client("http://x", "k", transport=transport) as client,
        pytest.raises(RequestError) as caught,
    ):
        client.version()
    assert str(caught.value) == "It is wrong ($.k): Too many.\n  Fewer."
