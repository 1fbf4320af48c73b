"""Rules, named in a file of the operator's: they say which items a list may hold, by what the catalogue tells."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import polars as pl
import yaml
from jaxtyping import Bool
from pydantic import Field, ValidationError, model_validator

from recdistill.errors import ConfigError, nearest
from recdistill.settings import Settings

_BETWEEN = re.compile(r"\s*[,|;]\s*")
Values = Annotated[tuple[str, ...], Field(min_length=1)]


class Rule(Settings):
    """What a list may hold. Values are compared with a column's text, or with its parts between `,`, `;` or `|`."""

    allow: dict[str, Values] = Field(default_factory=dict)
    """Column: values. Only items that have one of them, in every column named."""
    deny: dict[str, Values] = Field(default_factory=dict)
    """Column: values. No items that have one of them, in any column named."""
    when: dict[str, Values] = Field(default_factory=dict)
    """Key of a request's context: values. The rule holds by itself where all of them match."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.allow and not self.deny:
            raise ValueError("it neither allows nor denies anything")
        return self


class Rules:
    """The rules of a server."""

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        self._rules = dict(rules or {})
        self.names = tuple(sorted(self._rules))
        keys = {key for rule in self._rules.values() for key in rule.when}
        self.context = tuple(sorted(keys))
        """What a request's context may say."""

    def holding(self, names: Iterable[str], context: Mapping[str, str]) -> frozenset[str]:
        """The rules that hold for a request: those that it names, and those that its context asks for."""
        asked = {
            name
            for name, rule in self._rules.items()
            if rule.when and all(context.get(key) in values for key, values in rule.when.items())
        }
        return frozenset(asked.union(names))

    def require_columns(self, columns: Sequence[str]) -> None:
        """Refuse a catalogue that does not tell what a rule must know.

        Raises:
            ConfigError: a column is missing.
        """
        for name, rule in self._rules.items():
            for column in (*rule.allow, *rule.deny):
                if column not in columns:
                    raise ConfigError(
                        f"Rule '{name}' is about '{column}', which the bundle's catalogue does not have.",
                        nearest(column, columns),
                    )

    def columns(self, names: Collection[str]) -> set[str]:
        """What some rules are about."""
        return {column for name in names for column in self._columns(name)}

    def let_through(
        self, names: Collection[str], columns: Mapping[str, pl.Series]
    ) -> Bool[np.ndarray, " items"]:
        """Which items all of these rules let through.

        Args:
            names: of one rule or several.
            columns: what `columns(names)` names, a value an item.
        """
        passed = np.ones(len(next(iter(columns.values()))), dtype=np.bool_)
        for name in names:
            for column, values in self._rules[name].allow.items():
                passed &= _having(columns[column], values)
            for column, values in self._rules[name].deny.items():
                passed &= ~_having(columns[column], values)
        return passed

    def _columns(self, name: str) -> tuple[str, ...]:
        return (*self._rules[name].allow, *self._rules[name].deny)


NO_RULES = Rules()


def read_rules(path: Path) -> Rules:
    """The rules of a YAML file: names of rules, and what they say.

    Raises:
        ConfigError: it cannot be read, or says what no rule says.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read the rules in {path}: {error}.") from None
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{path} holds no rules.", "name: {deny: {genres: [Horror]}}")
    return Rules({str(name): _rule(path, str(name), said) for name, said in content.items()})


def _rule(path: Path, name: str, said: object) -> Rule:
    try:
        return Rule.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join((name, *map(str, first["loc"])))
        hint = nearest(str(first["loc"][0]), Rule.model_fields) if first["loc"] else ""
        raise ConfigError(f"{path}: {where}: {first['msg']}.", hint) from None


def as_text(column: pl.Series) -> pl.Series:
    """A column of a catalogue as texts; lists are joined."""
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join("|")
    return column.cast(pl.String)


def _having(column: pl.Series, values: Collection[str]) -> Bool[np.ndarray, " items"]:
    """Which items have one of the values."""
    wanted = set(values)
    texts = column.drop_nulls().unique().to_list()
    found = [text for text in texts if wanted & {text, *_BETWEEN.split(text)}]
    return column.is_in(found).fill_null(False).to_numpy()
