"""Which technique is best, and whether that is more than noise: a sentence that says no more than is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.leaderboard.standing import Standing, techniques
from recdistill.evaluation.report.reading import confidence, number, part
from recdistill.evaluation.report.verdict import CHIPS, Verdict, sample


def finding(content: Mapping[str, Any]) -> Verdict:
    """Judge the techniques of `leaderboard.json` by their corrected p-values."""
    standings, metric = techniques(content), str(content["metric"])
    best, name = standings[0], metric_title(metric)
    shown = next((one for one in standings if one.result == "better"), None)
    said = _said(best, shown, name, len(standings))
    chosen = best if shown is None else shown
    return Verdict(
        chosen.tone,
        CHIPS[chosen.tone],
        said,
        _evidence(content, chosen),
        _standing(content),
        metric,
    )


def _said(best: Standing, shown: Standing | None, metric: str, tried: int) -> str:
    amount = best.moved.lstrip(f"+{wording.MINUS}")
    if shown is best:
        return f"{_first(best, tried)}: it raised {metric} by {amount}, which is more than noise"
    if shown is not None:
        return (
            f"{_first(best, tried)}, but its gain may be noise. Shown is that of {shown.name}: "
            f"{metric} {shown.moved}"
        )
    if best.result == "worse":
        return f"{_first(best, tried)}, and even it lowered {metric} by {amount}"
    none = "The technique tried" if tried == 1 else f"None of {tried} techniques"
    verb = "did not raise" if tried == 1 else "raised"
    which = f"{best.name} moved it by" if tried == 1 else f"the best, {best.name}, moved it by"
    return f"{none} {verb} {metric} by more than noise: {which} {best.moved}"


def _first(best: Standing, tried: int) -> str:
    if tried == 1:
        return f"{best.name} is the only technique tried"
    return f"{best.name} is the best of {tried} techniques"


def _evidence(content: Mapping[str, Any], one: Standing) -> str:
    p = "" if one.p is None else f", corrected p = {wording.significant(one.p, 2)}"
    return f"({confidence(content)} interval {one.bounds}{p}{sample(content)})"


def _standing(content: Mapping[str, Any]) -> str:
    """How many were shown to be better or worse, and how many keep up with the best."""
    results = [one.result for one in techniques(content)]
    if len(results) == 1:
        return ""
    counts = {result: results.count(result) for result in ("better", "worse")}
    told = [f"{count} {result}" for result, count in counts.items() if count] or ["none different"]
    near = sum(_keeps_up(entry) for entry in content["ranking"][1:])
    peers = (
        f"{wording.count(near)} of the others cannot be told apart from the best."
        if near
        else "All others are behind it."
    )
    return f"Shown against the undistilled student: {', '.join(told)}. {peers}"


def _keeps_up(entry: Mapping[str, Any]) -> bool:
    high = number(part(entry, "behind_best"), "high")
    return high is not None and high >= 0
