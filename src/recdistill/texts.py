"""Texts that strangers wrote, made fit to be kept and shown."""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = {"Cc", "Cf", "Co", "Cs"}
_JOINERS: Final = "\u200c\u200d"
"""Of what nobody sees, these alone belong to words (Persian, Hindi) and to pictures made of several."""


def whole(text: str) -> str:
    """The same text with `\N{REPLACEMENT CHARACTER}` for each half of a character: JSON can spell half of a surrogate
    pair, and no file takes it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(text: str) -> str:
    """The same lines without anything that does more than be read: controls of terminals, marks that turn the direction
    of writing, half characters."""
    if text.isprintable():
        return text
    return "".join(found for sign in text if (found := _shown(sign)))


def line(text: str) -> str:
    """The same in one line."""
    return " ".join(visible(text).split())


def _shown(sign: str) -> str:
    category = unicodedata.category(sign)
    if sign.isspace():
        # Spaces that do not break, or are narrow, are spaces still.
        return sign if sign == "\n" or category == "Zs" else " "
    hidden = category in _HIDDEN and sign not in _JOINERS
    return "" if hidden else sign
