"""What a question is known by in the ledger.

The key of a question is the SHA-256 of who is asked (the endpoint's identity) and the request's body in canonical JSON:
keys sorted, no white space, whole numbers without a point. What may change an answer is in the body: the model's name,
the messages in their order, the options.

One part of the body is not in the key: the text of a JSON schema that an answer is held to. It says in another language
what the prompt says, and is written for a reader; a reader that wants another schema must not make all answers be paid
for again. That there is a schema, and its `name`, do count: a schema that asks for something else gets another name.
"""

from __future__ import annotations

import hashlib
import json

from recdistill.asking.canonical import canonical

_SCHEMA = "json_schema"
_COUNTS = {"name"}


def key_of(identity: str, body: str) -> str:
    """The key (hex) of what `body`, in canonical JSON, asks whoever is called `identity`."""
    return hashlib.sha256(f"{identity}\n{_without_schema(body)}".encode()).hexdigest()


def _without_schema(body: str) -> str:
    if f'"{_SCHEMA}":' not in body:
        return body
    told = json.loads(body)
    form = told.get("response_format")
    if not isinstance(form, dict) or not isinstance(form.get(_SCHEMA), dict):
        return body
    form[_SCHEMA] = {name: said for name, said in form[_SCHEMA].items() if name in _COUNTS}
    return canonical(told)
