"""How sure a model was of its first choice, by the probabilities of its tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_WORD = re.compile(r"[A-Z]+")


def certainty(tokens: Any, labels: Sequence[str], first: str) -> float | None:
    """The probability of the label that was ranked first, among all labels that might have stood there.

    Read off the first token that is this label (and whatever punctuation the tokenizer glued to it), beside the
    alternatives that the endpoint tells: the order of the first token's probabilities is a ranking by itself (Reddy et
    al. 2024, FIRST). `None` where the endpoint tells no probabilities, or no token is the label.

    Args:
        tokens: as they came: a list of objects with `token`, `logprob` and `top_logprobs`.
        labels: all that were shown.
        first: the one that was ranked first.
    """
    for entry in _entries(tokens):
        if _label(entry) != first:
            continue
        share = _probability(entry)
        others: dict[str, float] = {}
        for other in _entries(entry.get("top_logprobs")):
            name, chance = _label(other), _probability(other)
            if name in labels and name != first and chance is not None:
                others[name] = others.get(name, 0.0) + chance
        if share is None:
            return None
        return share / (share + sum(others.values())) if share > 0 else 0.0
    return None


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
