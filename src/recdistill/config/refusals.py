"""What pydantic found wrong, told with the line and the nearest valid name."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recdistill.config.located import KeyPath, LocatedYaml
from recdistill.errors import ConfigError, nearest


def refusal(error: ValidationError, model: type[BaseModel], source: LocatedYaml) -> ConfigError:
    """One `ConfigError` that lists every problem of a configuration, each with its place."""
    schema = model.model_json_schema()
    problems = [_describe(detail, schema, source) for detail in error.errors()]
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError(
        f"The configuration has {count}:\n" + "\n".join(f"  - {problem}" for problem in problems),
        "See every key with: recdistill config schema",
    )


def _describe(detail: ErrorDetails, schema: dict[str, Any], source: LocatedYaml) -> str:
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
            return f"{place}: '{name}': {message[:1].lower()}{message[1:]} (found {detail['input']!r})."


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


def _valid_keys(schema: dict[str, Any], location: tuple[int | str, ...]) -> list[str]:
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


def _descend(root: dict[str, Any], node: dict[str, Any], part: int | str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for branch in _branches(root, node):
        if isinstance(part, int):
            found += [branch["items"]] if "items" in branch else []
        elif part in branch.get("properties", {}):
            found.append(branch["properties"][part])
        elif branch.get("properties", {}).get("kind", {}).get("const") == part:
            found.append(branch)
    return found


def _branches(root: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """`node` with references followed and unions opened."""
    if "$ref" in node:
        return _branches(root, root["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    options = node.get("anyOf") or node.get("oneOf")
    if options:
        return [branch for option in options for branch in _branches(root, option)]
    return [node]
