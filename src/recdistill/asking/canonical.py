"""JSON in one form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recdistill.errors import ConfigError

JSON = Any
"""What JSON can say: None, booleans, numbers, strings, lists and mappings of these."""


def canonical(value: JSON) -> str:
    """JSON in one form, whatever the order of keys and the spelling of whole numbers.

    Raises:
        ConfigError: JSON cannot say it.
    """
    try:
        text = json.dumps(
            _plain(value),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        text.encode()  # half a surrogate pair is no character
        return text
    except (TypeError, ValueError) as error:
        raise ConfigError(f"A request holds what JSON cannot say: {error}.") from error


def _plain(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
