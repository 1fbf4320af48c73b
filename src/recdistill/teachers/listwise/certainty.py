"""How sure a model was of its first choice, by the probabilities of its tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from recdistill.teachers.listwise.reading import RANKING, without_thoughts

_WORD = re.compile(r"[A-Z]+")
_RANKING = re.compile(rf'"(?:{"|".join(RANKING)})"\s*:')


def certainty(tokens: Any, labels: Sequence[str], first: str) -> float | None:
    """The probability of the label that was ranked first, among all labels that might have stood there.

    Read off the token of this label (and whatever punctuation the tokenizer glued to it), beside the alternatives that
    the endpoint tells: the order of the first token's probabilities is a ranking by itself (Reddy et al. 2024, FIRST).
    Thoughts do not count, and where the answer has a field that holds the ranking, the label is the first in it. `None`
    where the endpoint tells no probabilities, or no token is the label.

    Args:
        tokens: as they came: a list of objects with `token`, `logprob` and `top_logprobs`.
        labels: all that were shown.
        first: the one that was ranked first.
    """
    entry = _chosen([*_entries(tokens)], labels, first)
    share = None if entry is None else _probability(entry)
    if entry is None or share is None:
        return None
    others: dict[str, float] = {}
    for other in _entries(entry.get("top_logprobs")):
        name, chance = _label(other), _probability(other)
        if name in labels and name != first and chance is not None:
            others[name] = others.get(name, 0.0) + chance
    return share / (share + sum(others.values())) if share > 0 else 0.0


def _chosen(
    entries: Sequence[Mapping[str, Any]], labels: Sequence[str], first: str
) -> Mapping[str, Any] | None:
    """The token at which the first label was chosen; of several rankings, in the last that begins with it."""
    texts = [str(entry.get("token") or "") for entry in entries]
    ends = [*accumulate(map(len, texts))]
    said = without_thoughts("".join(texts))
    spoken = [
        (entry, end)
        for entry, text, end in zip(entries, texts, ends, strict=True)
        if said[end - len(text) : end].strip()
    ]
    rankings = [match.end() for match in _RANKING.finditer(said)]
    for start in reversed(rankings):
        named = (entry for entry, end in spoken if end > start and _label(entry) in labels)
        found = next(named, None)
        if found is not None and _label(found) == first:
            return found
    anywhere = (entry for entry, _ in spoken if _label(entry) == first)
    return None if rankings else next(anywhere, None)


def _entries(values: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _label(entry: Mapping[str, Any]) -> str:
    token = entry.get("token")
    words = _WORD.findall(token) if isinstance(token, str) else []
    return words[0] if len(words) == 1 and not re.search(r"[a-z0-9]", str(token)) else ""


def _probability(entry: Mapping[str, Any]) -> float | None:
    value = entry.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return math.exp(min(float(value), 0.0))
