"""One configuration laid over another: what a file with a `base` says comes first."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]
Places = dict[tuple[str | int, ...], str]
"""Where each key and list entry was written."""


def laid_over(upper: tuple[Tree, Places], lower: tuple[Tree, Places]) -> tuple[Tree, Places]:
    """The settings of `upper`, and those of `lower` that it leaves open.

    Mappings are merged key by key; lists and plain values replace what lies below, and so does a mapping
    of another `kind`, whose keys mean other things.
    """
    merged = _merged(upper[0], lower[0])
    written = {**lower[1], **upper[1]}
    return merged, {
        path: place for path, place in written.items() if _leads_somewhere(merged, path)
    }


def _merged(upper: Tree, lower: Tree) -> Tree:
    if "kind" in upper and upper["kind"] != lower.get("kind"):
        return upper
    return {
        **lower,
        **{
            key: _merged(value, lower[key])
            if isinstance(value, dict) and isinstance(lower.get(key), dict)
            else value
            for key, value in upper.items()
        },
    }


def _leads_somewhere(tree: Any, path: tuple[str | int, ...]) -> bool:
    for part in path:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
