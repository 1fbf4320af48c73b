"""YAML that remembers on which line each key stands, and what it was based on."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from recdistill.config.layers import laid_over
from recdistill.errors import ConfigError

KeyPath = tuple[str | int, ...]
BASE = "base"
"""The key under which a configuration names another (relative to itself) that it builds on."""

_BOOL, _FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"


class Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain words: `on` and `no` are text, `1e-3` is a number."""


Loader.yaml_implicit_resolvers = {
    first: [pair for pair in resolvers if pair[0] not in {_BOOL, _FLOAT}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    _BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)


def load(text: str) -> Any:
    """Plain data from YAML text."""
    return yaml.load(text, Loader=Loader)


@dataclass(frozen=True)
class LocatedYaml:
    """Plain data and, for every key and list entry in it, the file and line it was written on."""

    data: dict[str, Any]
    origin: str
    places: dict[KeyPath, str] = field(default_factory=dict[KeyPath, str])

    @classmethod
    def read(cls, path: Path, above: tuple[Path, ...] = ()) -> LocatedYaml:
        """Read a configuration file and, where it names a `base`, lay it over that.

        Args:
            path: the file.
            above: the files that led here by their `base`.

        Raises:
            ConfigError: a file is missing, not UTF-8, not YAML, has a key twice, is not a mapping, or
                is in the end based on itself.
        """
        if path.resolve() in above:
            raise ConfigError(
                f"{path} is, by way of its `base`, based on itself.", "Break the circle."
            )
        source = cls._read(path)
        if BASE not in source.data:
            return source
        name = source.data.pop(BASE)
        if not isinstance(name, str):
            raise ConfigError(
                f"{source.place((BASE,))}: `base` must be the name of a file (found {name!r})."
            )
        base = cls.read(path.parent / name, (*above, path.resolve()))
        data, places = laid_over((source.data, source.places), (base.data, base.places))
        return cls(data, source.origin, places)

    @classmethod
    def _read(cls, path: Path) -> LocatedYaml:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(
                f"There is no configuration file {path}.",
                "Give a YAML file, for example one of recipes/, or a run folder.",
            ) from None
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8."
            ) from None
        except OSError as error:
            raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str) -> LocatedYaml:
        """Parse YAML text; `origin` is how errors call it."""
        try:
            root = yaml.compose(text, Loader=Loader)
            data = load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{origin} is not valid YAML: {_one_line(error)}.") from None
        if not isinstance(data, dict):
            raise ConfigError(f"{origin} holds no mapping of settings.", "Start with `dataset:`.")
        places: dict[KeyPath, str] = {}
        _collect_places(root, (), places, origin)
        return cls(data, origin, places)

    def place(self, path: KeyPath) -> str:
        """Where `path` (or its nearest enclosing key) was written: `file.yaml, line 7`."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return self.origin

    def override(self, assignments: list[str]) -> LocatedYaml:
        """The same data with `a.b=c` assignments applied (values are YAML, numbers index lists).

        Raises:
            ConfigError: an assignment has no `=`, or walks through something that is not there.
        """
        data = copy.deepcopy(self.data)
        for assignment in assignments:
            _assign(data, assignment)
        return LocatedYaml(data, self.origin, self.places)


def _collect_places(node: Any, path: KeyPath, places: dict[KeyPath, str], origin: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigError(
                    f"{origin}, line {line}: the key '{key.value}' is already set on line {seen[key.value]}.",
                    "Keep one of the two.",
                )
            seen[key.value] = line
            places[(*path, key.value)] = f"{origin}, line {line}"
            _collect_places(value, (*path, key.value), places, origin)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            places[(*path, index)] = f"{origin}, line {value.start_mark.line + 1}"
            _collect_places(value, (*path, index), places, origin)


def _assign(data: dict[str, Any], assignment: str) -> None:
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        raise ConfigError(
            f"--set {assignment} is not of the form name=value.",
            "For example: --set training.epochs=10",
        )
    try:
        value = load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {name}: the value is not valid YAML.") from None
    *parents, last = name.split(".")
    here: Any = data
    for parent in parents:
        here = _step(here, parent, name)
    if isinstance(here, list):
        here[_index(here, last, name)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise ConfigError(f"--set {name}: '{'.'.join(parents)}' has no parts to set.")


def _step(here: Any, key: str, name: str) -> Any:
    if isinstance(here, list):
        return here[_index(here, key, name)]
    if isinstance(here, dict):
        if here.get(key) is None:
            here[key] = {}
        return here[key]
    raise ConfigError(f"--set {name}: there is nothing below '{key}' to set.")


def _index(values: list[Any], key: str, name: str) -> int:
    if key.isdigit() and int(key) < len(values):
        return int(key)
    raise ConfigError(
        f"--set {name}: '{key}' is no place in a list of {len(values)}.",
        f"Use a number from 0 to {len(values) - 1}.",
    )


def _one_line(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the line itself: values are not quoted."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})"
