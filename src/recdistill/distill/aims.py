"""What adaptive schedules aim at, where the recipe leaves it to the teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from recdistill.distill.schedules import Adaptive
from recdistill.settings import Settings

Part = TypeVar("Part", bound=Settings)


def aimed(part: Part, target: Callable[[], float]) -> Part:
    """`part` with `target()` in every adaptive schedule that names none; itself where there is no such."""
    if isinstance(part, Adaptive) and part.target is None:
        return part.model_copy(update={"target": target()})
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    found = {name: _within(value, target) for name, value in fields.items()}
    changed = {name: value for name, value in found.items() if value is not fields[name]}
    return part.model_copy(update=changed) if changed else part


def aimless(part: Settings) -> bool:
    """Whether a schedule anywhere in `part` waits to be told what to aim at."""
    return aimed(part, lambda: 1.0) is not part


def _within(value: Any, target: Callable[[], float]) -> Any:
    if isinstance(value, Settings):
        return aimed(value, target)
    if isinstance(value, tuple):
        parts: tuple[Any, ...] = tuple(_within(one, target) for one in value)  # pyright: ignore[reportUnknownVariableType]
        return value if all(map(_same, parts, value)) else parts  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def _same(one: object, other: object) -> bool:
    return one is other
