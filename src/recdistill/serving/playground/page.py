"""The playground as one answer: style and script lie in the document, and its policy names their hashes."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from recdistill.serving.operations import Call, Operation
from recdistill.serving.wire import Answer

HTML = "text/html; charset=utf-8"


class Playground:
    """A page that holds nothing of anybody: whoever opens it needs a key to see more."""

    def __init__(self) -> None:
        style, script = _read("style.css"), _read("script.js")
        page = _read("index.html").replace("{style}", style).replace("{script}", script)
        policy = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {
            "content-security-policy": policy,
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
        }
        self._answer = Answer(200, page.encode(), HTML, headers)

    async def show(self, call: Call) -> Answer:
        """The page."""
        return self._answer

    def operations(self) -> list[Operation]:
        """The part of the table that this is."""
        return [
            Operation(
                method="GET",
                path="/",
                access="anyone",
                summary="The playground: a page to look at what is recommended.",
                handler=self.show,
                gives="text/html",
            )
        ]


def _read(name: str) -> str:
    return files("recdistill.serving.playground").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
