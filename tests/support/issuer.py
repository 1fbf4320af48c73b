"""An identity provider: keys of three kinds, tokens as asked for, and the address of its public keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example", "recdistill"


class Issuer:
    """Signs with the key of a name; `published` are the names whose public keys it tells."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {}
        self._public: dict[str, dict[str, Any]] = {}
        self.published: list[str] = []
        self.asked = 0
        for name, algorithm in (("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")):
            self.add(name, algorithm)

    def add(self, name: str, algorithm: str) -> None:
        made: Any = {
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }[algorithm]()
        written = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[algorithm]
        told = written.to_jwk(made.public_key(), as_dict=True)
        self.private[name] = (made, algorithm)
        self._public[name] = told | {"kid": name, "alg": algorithm, "use": "sig"}
        self.published.append(name)

    def keys(self) -> dict[str, Any]:
        return {"keys": [self._public[name] for name in self.published]}

    def token(self, key: str = "rsa", head: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that is right in everything but what is said otherwise; a claim of `None` is left out."""
        now = time.time()
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "service-7", "iat": now, "exp": now + 300}
        whole = {k: v for k, v in (usual | claims).items() if v is not None}
        private, algorithm = self.private[key]
        return jwt.encode(whole, private, algorithm, headers={"kid": key} | (head or {}))

    @contextmanager
    def answering(self) -> Iterator[str]:
        """Its address; `ISSUER` calls itself that in what is found there."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                here = f"http://127.0.0.1:{self.server.server_port}"
                found = {
                    "/keys": issuer.keys(),
                    "/.well-known/openid-configuration": {
                        "issuer": here,
                        "jwks_uri": f"{here}/keys",
                    },
                    "/large": {"keys": ["x" * (1 << 20)]},
                }.get(self.path)
                body = json.dumps(found).encode()
                self.send_response(302 if self.path == "/moved" else 200 if found else 404)
                self.send_header("location", "/keys")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                del format, args

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
