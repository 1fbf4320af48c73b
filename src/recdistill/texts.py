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


def line(text: str) -> str:
    """One line of the same, without anything that does more than be read: controls of terminals, marks that turn the
    direction of writing, half characters."""
    if not text.isprintable():
        text = "".join(" " if sign.isspace() else sign for sign in text if _shown(sign))
    return " ".join(text.split())


def _shown(sign: str) -> bool:
    return sign.isspace() or sign in _JOINERS or unicodedata.category(sign) not in _HIDDEN
