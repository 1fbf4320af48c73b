"""What pydantic found wrong, told with the line and the nearest valid name."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recdistill.config.located import KeyPath, LocatedYaml
from recdistill.errors import ConfigError, nearest
from recdistill.settings import UNQUOTED

Schema = dict[str, Any]


def refusal(error: ValidationError, model: type[BaseModel], source: LocatedYaml) -> ConfigError:
    """One `ConfigError` that lists every problem of a configuration, each with its place."""
    schema = model.model_json_schema()
    problems = [_describe(detail, schema, source) for detail in error.errors()]
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError(
        f"The configuration has {count}:\n" + "\n".join(f"  - {problem}" for problem in problems),
        "See every key with: recdistill config schema",
    )


def _describe(detail: ErrorDetails, schema: Schema, source: LocatedYaml) -> str:
    where = _written_path(detail["loc"], source.data)
    name = ".".join(str(part) for part in where)
    place = source.place(where)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            options = _valid_keys(schema, detail["loc"][:-1])
            return f"{place}: unknown key '{name}'. {nearest(str(where[-1]), options)}"
        case "missing":
            return f"{place}: '{name}' is missing."
        case "union_tag_invalid":
            options = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
            return f"{place}: '{name}' has an unknown kind '{context['tag']}'. {nearest(context['tag'], options)}"
        case "union_tag_not_found":
            return f"{place}: '{name}' needs a `kind`."
        case "literal_error":
            options = [
                value.strip(" '") for value in context["expected"].replace(" or ", ",").split(",")
            ]
            return f"{place}: '{name}' cannot be '{detail['input']}'. {nearest(str(detail['input']), options)}"
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            found = _quoted(detail, schema)
            return f"{place}: '{name}': {message[:1].lower()}{message[1:]} ({found})."


def _quoted(detail: ErrorDetails, schema: Schema) -> str:
    """What was found, unless there could be a secret in it."""
    nodes = [schema]
    for part in detail["loc"]:
        # What the schema does not tell is treated like what it is part of.
        nodes = [found for node in nodes for found in _descend(schema, node, part)] or nodes
    if any(_is_unquoted(schema, node, set()) for node in nodes):
        return "what was found is not shown: it could hold a secret"
    return f"found {detail['input']!r}"


def _is_unquoted(root: Schema, node: Schema, seen: set[int]) -> bool:
    """Whether a value here, or anything in it, must not be quoted."""
    if node.get(UNQUOTED):
        return True
    branches = [branch for branch in _branches(root, node) if id(branch) not in seen]
    seen.update(map(id, branches))
    parts = [
        part
        for branch in branches
        for part in (*branch.get("properties", {}).values(), branch.get("items"))
        if isinstance(part, dict)
    ]
    return any(_is_unquoted(root, part, seen) for part in parts)


def _written_path(location: tuple[int | str, ...], data: Any) -> KeyPath:
    """The part of pydantic's location that a person wrote: union tags are not keys of the file."""
    written: list[str | int] = []
    here = data
    last = len(location) - 1
    for depth, part in enumerate(location):
        if _holds(here, part):
            written.append(part)
            here = here[part]
        elif depth == last and isinstance(here, dict) and part != here.get("kind"):
            written.append(part)
    return tuple(written)


def _holds(here: Any, part: int | str) -> bool:
    if isinstance(part, int):
        return isinstance(here, list) and part < len(cast("list[Any]", here))
    return isinstance(here, dict) and part in here


def _valid_keys(schema: Schema, location: tuple[int | str, ...]) -> list[str]:
    """The keys that the JSON Schema allows at `location` (which may hold union tags)."""
    nodes = [schema]
    for part in location:
        nodes = [found for node in nodes for found in _descend(schema, node, part)]
    keys = {
        key
        for node in nodes
        for plain in _branches(schema, node)
        for key in plain.get("properties", {})
    }
    return sorted(keys)


def _descend(root: Schema, node: Schema, part: int | str) -> list[Schema]:
    found: list[Schema] = []
    for branch in _branches(root, node):
        if isinstance(part, int):
            found += [branch["items"]] if "items" in branch else []
        elif part in branch.get("properties", {}):
            found.append(branch["properties"][part])
        elif branch.get("properties", {}).get("kind", {}).get("const") == part:
            found.append(branch)
    return found


def _branches(root: Schema, node: Schema) -> list[Schema]:
    """`node` with references followed and unions opened."""
    if "$ref" in node:
        return _branches(root, root["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    options = node.get("anyOf") or node.get("oneOf")
    if options:
        return [branch for option in options for branch in _branches(root, option)]
    return [node]
