"""The tables of an explanation: what the teacher says, and how the terms pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.measures import Line, Measure, Table
from recdistill.evaluation.report.reading import number, part

_PLAIN = "plain"


def sharpness(content: Mapping[str, Any]) -> Table:
    """How sharply the teacher speaks to each term that hears its lists."""
    rows = [
        (
            one["term"],
            (
                _ends(one["temperature"], "g"),
                _ends(one["entropy"], ".2f"),
                f"{_ends(one['effective'], '.1f')} of {one['k']}",
                wording.percent(one["listed"]),
                "as it is" if one["advised"] is None else wording.significant(one["advised"], 2),
            ),
        )
        for one in content["sharpness"]
    ]
    return _table(
        (
            ("Temperature", "What the term divides the teacher’s logits by."),
            ("Entropy", "Of the listed items among themselves, in nats; the mean over contexts."),
            ("Items in effect", "exp(entropy), the median: 1 is a hard label, all is no opinion."),
            ("Listed", "The share of the teacher’s probability that its list holds, the median."),
            ("Advised", "A temperature at which the teacher is heard."),
        ),
        rows,
    )


def terms(content: Mapping[str, Any]) -> Table:
    """Where each term pulls the student, and how hard."""
    found = part(content, "tension").get("terms", ())
    hardest = max((one["pull"] for one in found), default=0.0) or 1.0
    rows = [
        (
            one["term"],
            (
                wording.significant(one["weight"], 2),
                wording.percent(one["pull"] / hardest),
                _cosine(one["held_out"]),
            ),
        )
        for one in found
    ]
    return _table(
        (
            ("Weight", "At the moment of the best validation."),
            ("Pull", "The norm of the weighted gradient, beside that of the hardest term."),
            (
                "With held-out answers",
                "The cosine of the term’s gradient with that of the next-item loss on validation cases: above 0 the "
                "term takes the student where held-out answers lie.",
            ),
        ),
        rows,
    )


def pairs(content: Mapping[str, Any]) -> Table:
    """Whether two terms pull the same way."""
    rows = [
        (
            f"{one['one']} and {one['other']}",
            (
                _cosine(one),
                wording.percent(one["opposed"]),
                _plain(one, "items"),
                _plain(one, "encoder"),
            ),
        )
        for one in part(content, "tension").get("pairs", ())
    ]
    return _table(
        (
            ("Cosine", "Of their gradients, the mean over batches with its standard error."),
            ("Opposed", "The share of batches in which it is negative."),
            ("At the items", "The cosine over the parameters of the items alone."),
            ("In the encoder", "The cosine over all other parameters."),
        ),
        rows,
    )


def _cosine(found: Mapping[str, Any]) -> str:
    cosine, error = number(found, "cosine"), number(found, "error")
    if cosine is None:
        return wording.NONE
    aside = "" if error is None else f" ± {wording.significant(error, 1)}"
    return f"{wording.signed(cosine)}{aside}"


def _plain(found: Mapping[str, Any], name: str) -> str:
    value = number(found, name)
    return wording.NONE if value is None else wording.signed(value)


def _ends(ends: Sequence[float], form: str) -> str:
    """`2`, or `1 to 4` where a schedule moves."""
    return " to ".join(dict.fromkeys(format(end, form) for end in ends))


def _table(
    columns: Sequence[tuple[str, str]], rows: Sequence[tuple[str, tuple[str, ...]]]
) -> Table:
    measures = tuple(Measure(label, label, meaning, str) for label, meaning in columns)
    return Table(measures, tuple(Line(label, _PLAIN, values) for label, values in rows))
