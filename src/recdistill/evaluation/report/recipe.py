"""A recipe as people write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """YAML that can be put into a configuration."""
    return yaml.safe_dump(
        {"recipe": dict(recipe)},
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )
