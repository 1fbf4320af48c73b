"""Which smaller form is worth having? Two sentences that say no more than was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval, interval
from recdistill.evaluation.report.reading import confidence, number, part
from recdistill.evaluation.report.verdict import Verdict
from recdistill.evaluation.significance import Interval as Measured


def finding(content: Mapping[str, Any]) -> Verdict:
    """What the knee saves and loses, and what is refused."""
    metric, forms = str(content["metric"]), part(content, "forms")
    best = next((name for name, one in forms.items() if one["mark"] == "knee"), None)
    standing = " ".join(filter(None, (_refused(content), _seeds(content))))
    if best is None or best == content["reference"]:
        told = "Nothing smaller was found that is worth what it loses"
        return Verdict("neutral", "Stay", told, _allowed(content), standing, metric)
    lost = interval(forms, best, "loss") or Interval(0.0)
    saved = f"{_beside(content, best, 'bytes')} bytes, {_beside(content, best, 'latency_p50')} time"
    told = f"At the knee stands {best}: {saved}, and {_change(lost, metric_title(metric))}"
    moved = wording.percent(-lost.mean, signed=True)
    evidence = f"({moved}, {confidence(content)} interval {said(lost)}, {_cases(content)})"
    return Verdict("better", f"Knee: {best}", told, evidence, standing, metric)


def said(lost: Interval) -> str:
    """Where a loss lies, as a change: a loss of 2 % is −2 %."""
    low, high = lost.bounds or (lost.mean, lost.mean)
    return f"{wording.percent(-high, signed=True)} to {wording.percent(-low, signed=True)}"


def loses(lost: Measured, metric: object, sure: float) -> str:
    """A loss in words, for whoever is refused: `loses 3.1 % of NDCG@10 on validation (…)`."""
    told = Interval(lost.mean, lost.low, lost.high)
    return (
        f"loses {wording.percent(lost.mean)} of {metric_title(str(metric))} on validation "
        f"({wording.percent(sure)} interval of the change {said(told)})"
    )


def _change(lost: Interval, metric: str) -> str:
    low, high = lost.bounds or (lost.mean, lost.mean)
    if low <= 0 <= high:
        return f"no difference shown in {metric}"
    return f"{wording.percent(abs(lost.mean))} {'less' if lost.mean > 0 else 'more'} of {metric}"


def _beside(content: Mapping[str, Any], name: str, key: str) -> str:
    one, whole = (number(content, "forms", form, key) for form in (name, content["reference"]))
    found = wording.fraction(one or 0.0, whole or 0.0)
    return "the same" if found == wording.SAME else f"{found} the"


def _allowed(content: Mapping[str, Any]) -> str:
    share = wording.percent(number(content, "tolerance", "share") or 0.0)
    return f"(at most {share} may be lost, {_cases(content)})"


def _cases(content: Mapping[str, Any]) -> str:
    cases, users = (number(content, "dataset", f"valid_{name}") or 0 for name in ("cases", "users"))
    return f"{wording.plural(cases, 'validation case')}, {wording.plural(users, 'user')}"


def _refused(content: Mapping[str, Any]) -> str:
    names = [name for name, one in part(content, "forms").items() if one["refused"]]
    if not names:
        return ""
    share = wording.percent(number(content, "tolerance", "share") or 0.0)
    proof = part(content, "tolerance").get("proof")
    why = "lose more than" if proof == "estimate" else "may lose more than"
    return f"Refused, since they {why} {share}: {', '.join(names)}."


def _seeds(content: Mapping[str, Any]) -> str:
    few = number(content, "seeds") == 1
    return "Made of one seed only: another may come out otherwise." if few else ""
