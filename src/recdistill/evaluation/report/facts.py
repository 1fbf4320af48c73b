"""Nested facts as flat pairs of a readable name and a readable value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from recdistill.evaluation.report import wording


@dataclass(frozen=True)
class Fact:
    """A name and a value."""

    name: str
    value: str


def facts(tree: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Every leaf of `tree`, named by its path."""
    return tuple(_leaves(tree, ()))


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Fact]:
    for key, value in tree.items():
        here = (*path, str(key))
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), here)
        elif value is not None and value != [] and value != "":
            yield Fact(_name(here), _value(here[-1], value))


def _name(path: tuple[str, ...]) -> str:
    text = " · ".join(part.replace("_", " ") for part in path)
    return text[:1].upper() + text[1:]


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(key, float(value))
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in cast("list[Any]", value))
    return str(value)


def _number(key: str, value: float) -> str:
    if "seconds" in key:
        return wording.duration(value)
    if "bytes" in key:
        return wording.size(value)
    return wording.count(value) if value == round(value) else wording.significant(value)
