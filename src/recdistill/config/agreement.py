"""Several configurations that must agree in everything but their recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from recdistill.config.tree import RunConfig, load_config
from recdistill.errors import ConfigError

FREE = "recipe"
"""The one section in which they may differ."""
_ABSENT = object()


def load_agreeing(paths: list[Path], assignments: list[str]) -> dict[str, RunConfig]:
    """Read configurations that are to be compared, by name (the file's, without its ending).

    Raises:
        ConfigError: a configuration is wrong, two have one name, or two differ outside of `recipe`.
    """
    found: dict[str, tuple[Path, RunConfig]] = {}
    for path in paths:
        if path.stem in found:
            raise ConfigError(
                f"{found[path.stem][0]} and {path} are both called '{path.stem}'.",
                "The name of a file is the name of its technique: rename one, or leave it out.",
            )
        found[path.stem] = (path, load_config(path, assignments))
    (first, config), *others = found.values()
    for path, other in others:
        _require_agreement(first, config, path, other)
    return {name: config for name, (_, config) in found.items()}


def _require_agreement(one: Path, first: RunConfig, other: Path, second: RunConfig) -> None:
    found = next(_differences(_fixed(first), _fixed(second)), None)
    if found is None:
        return
    where, here, there = found
    raise ConfigError(
        f"The configurations differ in `{where}`: {_shown(here)} in {one}, {_shown(there)} in {other}.",
        "Techniques are compared with everything but `recipe` alike: let all build on one `base:`, "
        f"or give `--set {where}=…` for all of them.",
    )


def _fixed(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", by_alias=True, exclude={FREE})


def _differences(one: Any, other: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every setting that differs, in the order of the tree, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        here, there = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
    elif isinstance(one, list) and isinstance(other, list):
        here, there = (
            {str(place): value for place, value in enumerate(cast("list[Any]", values))}
            for values in (one, other)
        )
    else:
        if one != other:
            yield where, one, other
        return
    for key in dict.fromkeys((*here, *there)):
        path = f"{where}.{key}" if where else key
        yield from _differences(here.get(key, _ABSENT), there.get(key, _ABSENT), path)


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else repr(value)
