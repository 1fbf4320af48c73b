"""How items are called when a language model names them: the tokens of their titles."""

from __future__ import annotations

from collections.abc import Sequence

from recdistill.teachers.decoding.decoder import Decoder

_BEFORE = "\n"
"""What a title stands after: it is named on a line of its own."""


def spoken(
    decoder: Decoder, titles: Sequence[str], closing: str | None, at_most: int
) -> list[list[int]]:
    """The tokens of each title at the start of a line, and of what says that it is over.

    A tokenizer may read the start of a text otherwise than the start of a line, and a line's end otherwise after
    another letter; so whole lines are read.

    Args:
        decoder: who reads.
        titles: one an item; an empty one stays empty.
        closing: what follows a title; `None` for the token that ends a text, nothing where it is empty.
        at_most: tokens of a title; of a longer one the rest is never named.

    Returns:
        Token sequences, none of which is the beginning of another, but where titles were cut or are the same.
    """
    before, over = decoder.tokens([_BEFORE, closing or ""])
    lines = [_BEFORE + " ".join(title.split()) + (closing or "") for title in titles]
    # A tokenizer that does not see the closing, white space say, has its end of a text all the same.
    added = [] if over or closing == "" else [decoder.end]
    return [
        _cut(_after(before, line) + added, over or added, at_most) if title.strip() else []
        for title, line in zip(titles, decoder.tokens(lines), strict=True)
    ]


def _after(before: list[int], line: list[int]) -> list[int]:
    return line[len(before) :] if line[: len(before)] == before else line


def _cut(line: list[int], ending: list[int], at_most: int) -> list[int]:
    return line if len(line) <= at_most else line[: max(at_most - len(ending), 1)] + ending
