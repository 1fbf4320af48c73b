"""Signed tokens open what their issuer says, and nothing opens that is nearly one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import time

import jwt
import pytest
from issuer import AUDIENCE, ISSUER, Issuer
from served import Client
from started import started

from recdistill.cli.app import run
from recdistill.errors import ConfigError
from recdistill.serving.app import Application
from recdistill.serving.configuration import ServerConfig, require_safe
from recdistill.serving.keys import SCOPES, KeyRing, make_key
from recdistill.serving.limits import Limits
from recdistill.serving.shelf import Shelf
from recdistill.serving.tokens import key_set
from recdistill.serving.tokens.configuration import TokenConfig, read_tokens
from recdistill.serving.tokens.verifying import Tokens

SECRET = b"s" * 32


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def config(issuer, tmp_path) -> TokenConfig:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(issuer.keys()))
    return TokenConfig(issuer=ISSUER, audience=AUDIENCE, jwks=str(path))


@pytest.fixture
def tokens(config) -> Tokens:
    made = Tokens(config, SECRET)
    made.keys.load()
    return made


def scopes(tokens: Tokens, token: str):
    found = asyncio.run(tokens.find(token))
    return None if found is None else found.scopes


@pytest.mark.parametrize("key", ["rsa", "ec", "ed"])
def test_a_token_opens_what_its_scope_says(tokens, issuer, key) -> None:
    assert scopes(tokens, issuer.token(key, scope="recommend events other")) == (
        "recommend",
        "events",
    )
    assert scopes(tokens, issuer.token(key, scope=["admin", 7])) == ("admin",)
    assert scopes(tokens, issuer.token(key)) == ()
    assert scopes(tokens, issuer.token(key, aud=["else", AUDIENCE], scope="metrics")) == (
        "metrics",
    )


def test_words_of_an_issuer_mean_what_the_file_says(config, issuer) -> None:
    told = config.model_copy(
        update={"claim": "roles", "scopes": {"shop": ("recommend",), "boss": SCOPES}}
    )
    tokens = Tokens(told, SECRET)
    tokens.keys.load()
    assert scopes(tokens, issuer.token(roles=["shop", "recommend"])) == ("recommend",)
    assert scopes(tokens, issuer.token(roles="boss")) == SCOPES
    assert scopes(tokens, issuer.token(scope="admin")) == ()


def wrong(issuer: Issuer) -> dict[str, str]:
    """Tokens that must open nothing, by what is wrong with them."""
    now, good = time.time(), issuer.token(scope="admin")
    said = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 99, "sub": "x", "scope": "admin"}
    head, body, signature = good.split(".")
    other = Issuer()
    public = issuer.private["rsa"][0].public_key()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def packed(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    def signed_by_the_public_key(name: str) -> str:
        # The oldest trick: the public key as the secret of a shared-secret signature.
        signed = f"{packed({'alg': 'HS256', 'kid': name})}.{body}"
        mark = hmac.digest(pem, signed.encode(), hashlib.sha256)
        return f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"

    return {
        "expired": issuer.token(exp=now - 60),
        "not yet": issuer.token(nbf=now + 60),
        "issued in the future": issuer.token(iat=now + 3600),
        "without an end": issuer.token(exp=None),
        "nobody's": issuer.token(sub=None),
        "for somebody else": issuer.token(aud="another"),
        "for nobody": issuer.token(aud=None),
        "of another issuer": issuer.token(iss="https://other.example"),
        "of no issuer": issuer.token(iss=None),
        "another's key": other.token(),
        "an unknown key": issuer.token(head={"kid": "who"}),
        "the key of another kind": issuer.token("rsa", head={"kid": "ec"}),
        "nothing signed": f"{packed({'alg': 'none', 'kid': 'rsa'})}.{body}.",
        "None signed": f"{packed({'alg': 'None', 'kid': 'rsa'})}.{body}.{signature}",
        "a shared secret": signed_by_the_public_key("rsa"),
        "changed": f"{head}.{packed(said)}.{signature}",
        "cut": good[:-4],
        "more to it": good + "AAAA",
        "critical": issuer.token(head={"crit": ["exp"]}),
        "its own key": issuer.token(
            head={"kid": "own", "jwk": other.keys()["keys"][0], "jku": "http://127.0.0.1:1/"}
        ),
        "too long": issuer.token(filler="x" * 9000),
        "nonsense": "a.b.c",
        "dots": "..",
        "no object": f"{packed([])}.{packed([])}.{signature}",
        "a number for a key": f"{packed({'alg': 'RS256', 'kid': 7})}.{body}.{signature}",
        "odd letters": "\udc80.ö.☃",
    }


def test_what_is_nearly_a_token_opens_nothing(tokens, issuer) -> None:
    assert scopes(tokens, issuer.token(scope="admin")) == ("admin",)
    found = {name: asyncio.run(tokens.find(token)) for name, token in wrong(issuer).items()}
    assert {name: bearer for name, bearer in found.items() if bearer is not None} == {}
    assert len(found) == 26


def test_clocks_may_differ_a_little(tokens, issuer) -> None:
    now = time.time()
    assert scopes(tokens, issuer.token(exp=now - 10, scope="admin")) == ("admin",)
    assert scopes(tokens, issuer.token(nbf=now + 10, scope="admin")) == ("admin",)


def test_a_token_that_was_seen_ends_when_it_says(config, issuer, monkeypatch) -> None:
    tokens = Tokens(config.model_copy(update={"leeway": 0.0}), SECRET)
    tokens.keys.load()
    token, checks = issuer.token(exp=time.time() + 3, scope="admin"), []
    whole = jwt.decode
    monkeypatch.setattr(jwt, "decode", lambda *a, **k: checks.append(1) or whole(*a, **k))
    assert [scopes(tokens, token) for _ in range(5)] == [("admin",)] * 5
    assert len(checks) == 1
    time.sleep(3.1)
    assert scopes(tokens, token) is None


def test_what_is_known_of_tokens_is_bounded(tokens, issuer, monkeypatch) -> None:
    monkeypatch.setattr("recdistill.serving.tokens.verifying._MOST_KNOWN", 5)
    for number in range(20):
        scopes(tokens, issuer.token("ed", jti=str(number)))
    assert len(tokens._known) == 5


class Clock:
    """Goes on when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_new_key_is_fetched_once_and_made_up_ones_are_not() -> None:
    fresh, clock = Issuer(), Clock()
    with fresh.answering() as address:
        tokens = Tokens(
            TokenConfig(issuer=ISSUER, audience=AUDIENCE, jwks=f"{address}/keys"), SECRET, clock
        )
        tokens.keys.load()
        assert fresh.asked == 1
        clock.now += 11
        fresh.add("new", "ES256")

        async def many():
            new, made_up = fresh.token("new", scope="admin"), fresh.token(head={"kid": "made-up"})
            return await asyncio.gather(*(tokens.find(t) for t in [new] * 10 + [made_up] * 50))

        found = asyncio.run(many())
        assert [one is not None for one in found] == [True] * 10 + [False] * 50
        assert fresh.asked == 2
        # A key that the issuer takes back is gone with the next fetch.
        fresh.published.remove("rsa")
        clock.now += 11
        asyncio.run(tokens.find(fresh.token(head={"kid": "other"})))
        assert scopes(tokens, fresh.token("rsa")) is None
        assert fresh.asked == 3


def test_keys_that_cannot_be_fetched_again_hold_for_a_while_only() -> None:
    fresh, clock = Issuer(), Clock()
    with fresh.answering() as address:
        told = TokenConfig(issuer=ISSUER, audience=AUDIENCE, jwks=f"{address}/keys")
        tokens = Tokens(told, SECRET, clock)
        tokens.keys.load()
    assert scopes(tokens, fresh.token(scope="admin")) == ("admin",)
    clock.now += 3599
    assert scopes(tokens, fresh.token(scope="admin", jti="1")) == ("admin",)
    clock.now += 2
    assert scopes(tokens, fresh.token(scope="admin", jti="2")) is None


def test_discovery_and_addresses_that_are_not_asked(issuer) -> None:
    with issuer.answering() as address:
        found = TokenConfig(issuer=address, audience=AUDIENCE)
        assert set(key_set.usable(key_set.fetched(found))) == set(issuer.published)
        for path in ("/large", "/moved", "/nowhere"):
            with pytest.raises(ConfigError, match="cannot be had"):
                key_set.fetched(found.model_copy(update={"jwks": address + path}))
        with pytest.raises(ConfigError, match="cannot be had"):
            key_set.fetched(found.model_copy(update={"issuer": address + "/"}))
    for where in ("http://issuer.example/keys", "ftp://127.0.0.1/keys", "https://", "file:///etc"):
        with pytest.raises(ValueError, match="over https"):
            TokenConfig(issuer=ISSUER, audience=AUDIENCE, jwks=where)
    with pytest.raises(ValueError, match="over https"):
        TokenConfig(issuer="just a name", audience=AUDIENCE)


def test_of_a_set_only_public_keys_for_signatures_are_used(issuer) -> None:
    public = issuer.keys()["keys"]
    private = {**public[0], "kid": "private", "d": "AQAB"}
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}
    for_secrets = {**public[1], "use": "enc", "kid": "enc"}
    odd = [7, {}, {"kty": "RSA", "kid": "half"}]
    found = key_set.usable({"keys": [*public, private, shared, for_secrets, *odd]})
    assert set(found) == {"rsa", "ec", "ed"}
    for nothing in ({"keys": [shared]}, {"keys": 7}, {}):
        with pytest.raises(ConfigError, match="no public key"):
            key_set.usable(nothing)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("issuer: https://a.b\naudience: x\nalgorithms: [none]", "algorithms"),
        ("issuer: https://a.b\naudience: x\nalgorithms: [HS256]", "algorithms"),
        ("issuer: https://a.b\naudience: x\nscopes: {a: [root]}", "scopes"),
        ("issuer: https://a.b", "audience"),
        ("[", "cannot be read"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, text, said) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_tokens(path)


def test_keys_and_tokens_side_by_side_and_nobody_named(student, tokens, issuer) -> None:
    key, own = make_key(["recommend"])
    journal = io.StringIO()
    app = Application(
        Shelf(student), KeyRing([key]), Limits(deadline=30), journal=journal, tokens=tokens
    )
    client = Client(app, own)
    token = issuer.token(sub="canary-subject", scope="recommend")
    bearer = {"authorization": f"Bearer {token}"}
    assert client.post("/v1/recommend", {"history": []}).status_code == 200
    assert client.post("/v1/recommend", {"history": []}, headers=bearer).status_code == 200
    assert client.get("/metrics", headers=bearer).status_code == 403
    answer = client.get("/version", headers={"authorization": f"Bearer {token[:-9]}"})
    assert answer.status_code == 401
    client.close()
    for canary in ("canary", token, token.split(".")[2], ISSUER):
        assert canary not in journal.getvalue()
    ids = {json.loads(line).get("key") for line in journal.getvalue().splitlines()[1:]}
    assert len(ids - {None}) == 2


def test_a_server_with_tokens_alone(bundle_folder, config, issuer, tmp_path) -> None:
    """Beyond loopback that is enough; no key is made for the session."""
    path = tmp_path / "tokens.yaml"
    path.write_text(f"issuer: {ISSUER}\naudience: {AUDIENCE}\njwks: {config.jwks}\n")
    require_safe(ServerConfig(host="0.0.0.0", tokens=path))
    with started(bundle_folder, "--tokens", path, "--histories", "none", "--workers", 2) as server:
        assert server.once().status == 401
        server.token = issuer.token(scope="recommend")
        assert server.once().status == 200
    path.write_text(f"issuer: {ISSUER}\naudience: {AUDIENCE}\njwks: {tmp_path}/none.json\n")
    options = ["--port", "0", "--histories", "none", "--items", "none"]
    assert run(["serve", str(bundle_folder), "--tokens", str(path), *options]) == 2
