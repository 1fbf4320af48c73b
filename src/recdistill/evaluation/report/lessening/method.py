"""How smaller forms were compared, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.protocol import Step
from recdistill.evaluation.report.reading import confidence, number, part


def method(content: Mapping[str, Any]) -> tuple[Step, ...]:
    """The aspects that a reader must know."""
    return tuple(_steps(content))


def _steps(content: Mapping[str, Any]) -> Iterator[Step]:
    cases, users = (number(content, "dataset", f"valid_{name}") or 0 for name in ("cases", "users"))
    seeds = number(content, "seeds") or 1
    yield Step(
        "Cases",
        f"{wording.plural(cases, 'validation case')} of {wording.plural(users, 'user')}, the same for all; the whole "
        f"catalogue is ranked. {wording.plural(seeds, 'student')}, each beside the smaller ones made of it. Training "
        "picked its best epochs by the same cases, of the student and of smaller ones alike.",
    )
    yield Step(
        "What is judged",
        "Bundles, as they would be served: a form is written, opened by ONNX Runtime and asked. Size is that of the "
        "files with the model and the item table; time is that of one history’s ten best items on one thread, all "
        "forms in turn on the same histories.",
    )
    yield Step(
        "Interval",
        f"A paired bootstrap over users{' and seeds' if seeds > 1 else ''}; the middle {confidence(content)} of the "
        "results.",
    )
    yield Step("Refused", _refusal(content))
    yield Step(
        "Front and knee",
        "On the front stands what nothing else beats in one of quality, size and time without being behind in "
        "another; times within 10 % count as equal. The knee is the point of the front that bulges farthest from the "
        "plane through its ends, with sizes and times as logarithms (Das 1999; in two dimensions the greatest "
        "distance from the chord, as in Kneedle, Satopää et al. 2011). What is refused takes no part.",
    )
    if part(content, "test"):
        yield Step(
            "Test data",
            "Opened for the student and the form at the knee, after the knee was chosen.",
        )


def _refusal(content: Mapping[str, Any]) -> str:
    share = wording.percent(number(content, "tolerance", "share") or 0.0)
    if part(content, "tolerance").get("proof") == "interval":
        return f"What has not been shown to lose at most {share}: the interval of its loss reaches beyond."
    return f"What loses more than {share} as measured. `proof: interval` would ask that the whole interval is within."
