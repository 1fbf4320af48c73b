"""Rules about the terms of a recipe: what of the teacher they let through, and where they pull the student."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.advice.contract import Advice, taught
from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import number, part

APART = -0.1
"""A mean cosine below this is a conflict, if it is surely below 0."""
ERRORS = 2.0
"""So many standard errors from 0 are sure enough."""
WEAK, STRONG = 1 / 20, 20.0
"""How a term's pull may compare with that of the labels."""


def hints(content: Mapping[str, Any]) -> Iterator[Advice]:
    """What a look at the stored signals advised before training: temperatures and lists that silence the teacher."""
    numbers = {one["term"]: one for one in content["sharpness"]}
    for hint in content["hints"]:
        finding, _, change = str(hint).rpartition("; ")
        label = finding.removeprefix("Objective '").split("'")[0]
        known = numbers.get(label, {})
        yield Advice(
            "signal",
            f"{finding or hint}.".replace("..", "."),
            f"{change[:1].upper()}{change[1:]}",
            float((known.get("temperature") or [0.0])[0]),
            float(known.get("advised") or 0.0),
        )


def conflicts(content: Mapping[str, Any]) -> Iterator[Advice]:
    """Two terms that pull apart, where the one that hears the teacher also pulls away from held-out answers."""
    tension = part(content, "tension")
    measured = {one["term"]: one for one in tension.get("terms", ())}
    hearing = {term["term"] for term in taught(content)}
    for pair in tension.get("pairs", ()):
        wrong = [
            label
            for label in (pair["one"], pair["other"])
            if label in hearing and _surely_below(measured[label]["held_out"], 0.0)
        ]
        if not wrong or not _surely_below(pair, APART):
            continue
        yield from (_conflict(pair, measured[label], label) for label in wrong)


def _surely_below(found: Mapping[str, Any], threshold: float) -> bool:
    cosine, error = number(found, "cosine"), number(found, "error")
    if cosine is None or error is None:
        return False
    return cosine <= threshold and cosine + ERRORS * error < 0


def _conflict(pair: Mapping[str, Any], term: Mapping[str, Any], label: str) -> Advice:
    away = term["held_out"]
    return Advice(
        "conflict",
        f"'{pair['one']}' and '{pair['other']}' pull the student apart: the cosine of their gradients is "
        f"{_cosine(pair)} (below {wording.significant(APART, 1)}) and negative in {wording.percent(pair['opposed'])} "
        f"of the batches; and '{label}' pulls away from held-out answers too ({_cosine(away)}).",
        f"Lower the weight of '{label}' (now {wording.significant(term['weight'], 2)}), or let it fade: "
        "`weight: {kind: cosine, from: …, to: 0}`.",
        float(pair["cosine"]),
        APART,
    )


def _cosine(found: Mapping[str, Any]) -> str:
    error = wording.significant(found["error"], 1)
    return f"{wording.significant(found['cosine'], 2)} ± {error}"


def pulls(content: Mapping[str, Any]) -> Iterator[Advice]:
    """Terms that hardly pull, and terms that drown the labels; not where a weighting sees to that."""
    weighting = part(content, "recipe", "weighting").get("kind", "fixed")
    terms = part(content, "tension").get("terms", ())
    hearing = {term["term"] for term in taught(content)}
    own = [one["pull"] for one in terms if one["term"] not in hearing and one["pull"] > 0]
    if weighting != "fixed" or not own:
        return
    for one in terms:
        ratio = one["pull"] / max(own)
        if one["term"] in hearing and one["weight"] > 0 and not WEAK <= ratio <= STRONG:
            yield _pull(one, ratio)


def _pull(term: Mapping[str, Any], ratio: float) -> Advice:
    weak = ratio < WEAK
    threshold = WEAK if weak else STRONG
    times, bound = (f"{wording.significant(one, 2)}×" for one in (ratio, threshold))
    return Advice(
        "pull",
        f"At the end '{term['term']}' pulls at the student {times} as hard as the labels do "
        f"({'less' if weak else 'more'} than {bound}).",
        f"{'It is satisfied or has too little say: raise' if weak else 'It drowns them: lower'} its weight (now "
        f"{wording.significant(term['weight'], 2)}), or let `weighting: {{kind: gradient-norm}}` see to it.",
        ratio,
        threshold,
    )


ABOUT_TERMS = (hints, conflicts, pulls)
