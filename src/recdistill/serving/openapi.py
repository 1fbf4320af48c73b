"""The OpenAPI document, made from the table of operations and the types on the wire: there is no second description."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec

from recdistill.serving.operations import Operation
from recdistill.serving.problems import Problem, problem, status_of
from recdistill.serving.wire import JSON, PROBLEM

_REF = "#/components/schemas/{name}"


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 for a table of operations."""
    table = list(operations)
    types = _types(table)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    _describe(components, types)
    refs = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in table:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "RecDistill", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types(operations: list[Operation]) -> list[type[msgspec.Struct]]:
    named = [kind for each in operations for kind in (each.takes, each.gives)]
    structs = [kind for kind in named if isinstance(kind, type)]
    return list(dict.fromkeys([*structs, Problem]))


def _operation(each: Operation, refs: dict[type[msgspec.Struct], Any]) -> dict[str, Any]:
    description = "" if each.access == "anyone" else f"Needs a key: {each.access}."
    content: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "description": description,
        "responses": {"200": _good(each, refs)} | _problems(each, refs),
    }
    if each.access == "anyone":
        content["security"] = []
    if each.parameter:
        text = {"type": "string", "minLength": 1, "maxLength": 256}
        where = {"name": each.parameter, "in": "path", "required": True, "schema": text}
        content["parameters"] = [where]
    if each.takes:
        body = _content(JSON, refs[each.takes], each.asked)
        content["requestBody"] = {"required": True, "content": body}
    return content


def _good(each: Operation, refs: dict[type[msgspec.Struct], Any]) -> dict[str, Any]:
    if isinstance(each.gives, str):
        return {
            "description": each.summary,
            "content": {each.gives: {"schema": {"type": "string"} if "text" in each.gives else {}}},
        }
    return {"description": each.summary, "content": _content(JSON, refs[each.gives], each.said)}


def _problems(each: Operation, refs: dict[type[msgspec.Struct], Any]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for kind in each.kinds_of_problems:
        by_status.setdefault(status_of(kind), []).append(kind)
    return {
        str(status): {
            "description": " ".join(problem(kind).problem.title for kind in kinds),
            "content": _content(PROBLEM, refs[Problem], problem(kinds[0]).problem),
        }
        for status, kinds in sorted(by_status.items())
    }


def _content(kind: str, schema: Any, example: msgspec.Struct | None) -> dict[str, Any]:
    described: dict[str, Any] = {"schema": schema}
    if example is not None:
        described["example"] = msgspec.to_builtins(example)
    return {kind: described}


def _describe(components: dict[str, Any], types: Iterable[type[msgspec.Struct]]) -> None:
    """Say of each field what its docstring says."""
    modules = {inspect.getmodule(each) for each in types}
    for module in modules:
        for name, content in components.items():
            struct = getattr(module, name, None)
            if inspect.isclass(struct) and inspect.getmodule(struct) is module:
                for field, text in _docstrings(struct).items():
                    content["properties"][field]["description"] = text


def _docstrings(struct: type) -> dict[str, str]:
    """The strings below a class's fields."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        above.target.id: below.value.value
        for above, below in pairwise(body)
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
