"""Text of items made harmless: a title is data, whoever wrote it, and must not be read as anything else."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_BRACKETS = str.maketrans(
    {
        # No tag, no special token (<|im_start|>, </s>, [INST], <<SYS>>) and no JSON is left of a text without these.
        **dict.fromkeys("<«", "‹"),
        **dict.fromkeys(">»", "›"),
        **dict.fromkeys("[{⟦", "("),
        **dict.fromkeys("]}⟧", ")"),
        **dict.fromkeys("|¦`", "/"),
        "\\": "/",
        "▁": " ",  # how some tokenizers write a space
        "Ġ": "G",  # and others
    }
)
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
"""Unicode categories of what nobody sees: controls, zero-width and bidirectional marks, tags, private use."""
_ROLES = re.compile(
    r"\b(system|developer|user|human|assistant|ai|bot|model|tool|function|instructions?|response|input|output)"
    r"(\s*):",
    re.IGNORECASE,
)
_ESCAPES = re.compile(r"\\[nrtfv0]")
"""Line ends as source code writes them."""
_RUNS = re.compile(r"([^\w\s])\1{2,}|(_)\2{2,}")
"""Three equal signs or more: rules, headings, fences of other prompts."""


@lru_cache(maxsize=1 << 16)
def clean(text: str, at_most: int) -> str:
    """One line of `text`, of `at_most` characters, in which nothing can be taken for structure.

    What looks alike is made alike (NFKC), so that a full-width `＜` is no way around. Brackets of tags, of special
    tokens and of JSON become others that mean nothing to a tokenizer; invisible characters go; a word that names
    somebody who speaks loses its colon; three equal signs become one. What is left reads as it did.
    """
    text = unicodedata.normalize("NFKC", text)
    text = "".join(" " if sign.isspace() else sign for sign in text if _shown(sign))
    text = _ESCAPES.sub(" ", text).translate(_BRACKETS)
    text = _RUNS.sub(lambda found: found[1] or found[2], text)
    text = " ".join(_ROLES.sub(r"\1 -", text).split())
    return text[:at_most].rstrip()


def _shown(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) not in _HIDDEN
