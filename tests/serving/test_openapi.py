"""The document says what the server does."""

from __future__ import annotations

import msgspec
import pytest

from recdistill.serving.gate import PUBLIC


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_the_document_and_the_router_know_the_same_operations(client, document) -> None:
    described = {(m.upper(), path) for path, ops in document["paths"].items() for m in ops}
    assert described == {(each.method, each.path) for each in client.app.operations}
    names = [op["operationId"] for ops in document["paths"].values() for op in ops.values()]
    assert len(names) == len(set(names))


def test_only_what_is_public_is_described_as_open(document) -> None:
    opened = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == []
    }
    assert opened == PUBLIC
    assert document["security"] == [{"key": []}]


def test_every_reference_leads_somewhere(document) -> None:
    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from references(each)

    found = set(references(document))
    assert len(found) > 5
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert found <= known


def test_examples_are_valid_requests_and_answers(client) -> None:
    asked = 0
    for each in client.app.operations:
        for kind, example in ((each.takes, each.asked), (each.gives, each.said)):
            if isinstance(kind, type):
                assert example is not None, each
                assert msgspec.json.decode(msgspec.json.encode(example), type=kind) == example
                asked += 1
    assert asked >= 8


def test_fields_are_described_and_constrained(document) -> None:
    fields = document["components"]["schemas"]["RecommendRequest"]["properties"]
    assert "oldest first" in fields["history"]["description"]
    assert (fields["k"]["minimum"], fields["k"]["maximum"], fields["k"]["default"]) == (1, 1000, 10)
    assert document["components"]["schemas"]["RecommendRequest"]["additionalProperties"] is False


def test_answers_have_the_status_that_the_document_lists(client, document) -> None:
    """Whatever goes wrong with a body is described."""
    for body in ({"history": []}, {"k": 5}, {"history": 1}, {"history": [], "candidates": ["?"]}):
        answer = client.post("/v1/recommend", body)
        listed = document["paths"]["/v1/recommend"]["post"]["responses"]
        assert str(answer.status_code) in listed
        assert answer.headers["content-type"] in listed[str(answer.status_code)]["content"]
