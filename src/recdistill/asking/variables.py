"""Names of environment variables, told apart from the keys that they should hold."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME = 64
_LONG_WORD = 16
_HEXADECIMAL = re.compile(r"(?=.*[0-9])[0-9a-f]+")
_MARKED = re.compile(r"(sk|pk|rk|hf|gsk|r8|ghp)_|AIza|AKIA")
"""How keys of well-known endpoints begin."""
_SYLLABLE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SYLLABLE_LENGTH = 3
"""Letters, on average, below which a word changes between capitals, small letters and digits as only chance does."""


def require_name(given: str) -> str:
    """Refuse what is no name of a variable, or looks like a key, without quoting it.

    Raises:
        ValueError: it cannot be a name, or is unlikely to be one.
    """
    if not _NAME.fullmatch(given) or len(given) > _LONGEST_NAME or _looks_like_a_key(given):
        raise ValueError(
            "must name an environment variable, such as OPENAI_API_KEY, which holds the key; the key itself is written"
            " nowhere, and one that was should be replaced"
        )
    return given


def _looks_like_a_key(given: str) -> bool:
    """Whether a part of it is long and either random, or begun as keys are. Keys of capital letters alone pass."""
    long = [word for word in given.split("_") if len(word) >= _LONG_WORD]
    return any(_MARKED.match(given) or _is_random(word) for word in long)


def _is_random(word: str) -> bool:
    syllables = len(_SYLLABLE.findall(word))
    return bool(_HEXADECIMAL.fullmatch(word)) or len(word) < _SYLLABLE_LENGTH * syllables
