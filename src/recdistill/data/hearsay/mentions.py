"""How items are named in a value: a list as it is, JSON in text, or the lines of a numbered list."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, field_validator

from recdistill.data.hearsay.records import Record, opened, pick, scalars
from recdistill.settings import Settings

_NUMBERED: Final = re.compile(r"^\W{0,4}\d{1,3}\s*[.):]\W{0,3}\s(.+)$", re.MULTILINE)
_BULLETED: Final = re.compile(r"^\s*[-*•]\s+(.+)$", re.MULTILINE)
_MARKS: Final = " \t*_`\"'“”‘’«»[]"


class ListField(Settings):
    """Where a list of items stands in a record, and how it is read if it stands in a text."""

    field: str
    """A path: `items`, `answer.items`, `@key`, `@value`."""
    pattern: str | None = None
    """A regular expression whose first group is what to take from each place where it matches; without it, JSON is
    read as JSON, and of a numbered or bulleted list every line is taken."""
    separator: str | None = None
    """Where what was taken is cut into several."""

    @field_validator("pattern")
    @classmethod
    def _is_one(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern).groups if pattern else 1
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        if not groups:
            raise ValueError("it needs a group, as in '- (.+)$', that says what to take")
        return pattern

    def of(self, record: Record) -> list[str] | None:
        """How the items of a record are called, in its order; `None` where the record has no such field."""
        value = pick(record, self.field)
        return None if value is None else self.read(value)

    def read(self, value: Any) -> list[str]:
        """The same of the field's value."""
        if isinstance(value, str):
            value = self._of_text(value)
        several = [str(one) for one in scalars(value)]
        if self.separator is not None:
            several = [part for one in several for part in one.split(self.separator)]
        return [clean for one in several if (clean := one.strip().strip(_MARKS).strip())]

    def _of_text(self, text: str) -> Any:
        if self.pattern is not None:
            found = re.finditer(self.pattern, text, re.MULTILINE)
            return [one[1] for one in found if one[1]]
        inside = opened(text)
        if inside is not text:
            return inside
        lines = _NUMBERED.findall(text) or _BULLETED.findall(text)
        return [line.replace("**", "").replace("__", "") for line in lines] or text


AnyListField = Annotated[
    ListField, BeforeValidator(lambda given: {"field": given} if isinstance(given, str) else given)
]
"""In a configuration, the path alone will do."""
