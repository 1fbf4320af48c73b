"""Titles as people and models write them: what two ways of writing one title have in common."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from typing import Final, NamedTuple

_YEAR: Final = re.compile(r"\s*[(\[]\s*(\d{4})(?:\s*[-–/]\s*\d{0,4})?\s*[)\]]")
_INSIDE: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_MOVED: Final = re.compile(r"^(.*),\s+([^\s,]{1,4})$")
_WORD: Final = re.compile(r"\w+")
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘`´"))
_ARTICLES: Final = frozenset(
    re.findall(r"\S+", "a an the la le les l' un une el los las der die das il lo gli i os as o")
)
_SPELT: Final = 0.75
"""How alike the letters of two words must be (twice what matches by the length of both) to be one word."""
_LEADING: Final = ("the ", "an ", "a ")
_ROMAN: Final = {
    name: str(number)
    for number, name in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"), 1)
}


class Title(NamedTuple):
    """Attributes:
    names: what it may be called, normalised, the whole title first.
    year: in brackets behind it; `None` where none is given.
    """

    names: tuple[str, ...]
    year: int | None


def read_title(text: str) -> Title:
    """A title as a catalogue or a model writes it.

    >>> read_title("Matrix, The (1999)")
    Title(names=('matrix',), year=1999)
    >>> read_title("Amélie & I (Le fabuleux destin, Le)").names
    ('amelie and i', 'le le fabuleux destin')
    """
    found = _YEAR.search(text)
    year = int(found[1]) if found else None
    rest = _YEAR.sub("", text)
    inside = [
        part.strip().removeprefix("a.k.a.").removeprefix("aka") for part in _INSIDE.findall(rest)
    ]
    names = [normalised(part) for part in (_INSIDE.sub("", rest), *inside)]
    return Title(tuple(dict.fromkeys(name for name in names if name)), year)


def normalised(title: str) -> str:
    """Without case, accents, punctuation and the English article in front; an article that was moved behind a comma
    comes to the front first.

    >>> normalised("Postino, Il") == normalised("Il Postino"), normalised("  The  Devil's Own!")
    (True, 'devils own')
    """
    moved = _MOVED.match(title.strip())
    if moved and moved[2].casefold() in _ARTICLES:
        title = f"{moved[2]} {moved[1]}"
    name = " ".join(words(title))
    return next((name[len(one) :] for one in _LEADING if name.startswith(one)), name)


def words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    return _WORD.findall(plain(text.translate(_APOSTROPHES).replace("&", " and ")))


def placed_words(text: str) -> list[tuple[str, tuple[int, int]]]:
    """The same with where each begins and ends in the text; `&` is a word like `and`."""
    found: list[tuple[str, tuple[int, int]]] = []
    for one in re.finditer(r"[\w'’‘`´]+|&", text):
        word = plain(one[0].translate(_APOSTROPHES)) if one[0] != "&" else "and"
        found += [(part, one.span()) for part in _WORD.findall(word)]
    return found


def plain(text: str) -> str:
    """Without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def numbers(name: str) -> frozenset[str]:
    """The numbers in a normalised name, Roman ones included: what tells a sequel from its like."""
    found = name.split()
    return frozenset(
        _ROMAN.get(word, word) for word in found[1:] if word in _ROMAN or word.isdigit()
    ) | {word for word in found[:1] if word.isdigit()}


def misspelt(one: str, other: str) -> bool:
    """Whether two normalised names are one, but for the spelling of some words. A number, a word more and a plural
    make another title: Rocky II, Nightingale Wood, Aliens."""
    here, there = one.split(), other.split()
    return (
        len(here) == len(there)
        and numbers(one) == numbers(other)
        and all(map(_same_word, here, there))
    )


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    if f"{one}s" == other or f"{other}s" == one:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SPELT
