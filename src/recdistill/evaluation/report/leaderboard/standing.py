"""One technique (or reference) of `leaderboard.json`, read once for table, charts and sentence alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.interval import Interval, interval
from recdistill.evaluation.report.reading import model_label, model_style, number, part
from recdistill.evaluation.roles import TEACHER, TWIN

_TONES = {"better": "better", "worse": "worse"}


@dataclass(frozen=True)
class Standing:
    """What is known of one row of the leaderboard.

    Attributes:
        name: of the technique, or what people call the reference.
        style: the class that colours it.
        value: of the deciding metric.
        rank: among the techniques; `None` for a reference.
        result: `better`, `worse` or `no difference shown`; empty for a reference.
        gain: over the undistilled student.
        share: that gain as a share of the undistilled student; `None` if that may score nothing.
        p: of the gain, corrected.
        gap: the share of the teacher's lead that was closed.
        tail: the gain where rarely taken items were to be found.
        cost: of training, as a multiple of the undistilled student's.
        seconds: of training.
        tuned: what validation chose; empty where nothing was tuned.
        trials: how many it chose among.
    """

    name: str
    style: str
    value: float
    rank: int | None = None
    result: str = ""
    gain: Interval | None = None
    share: Interval | None = None
    p: float | None = None
    gap: float | None = None
    tail: Interval | None = None
    cost: float | None = None
    seconds: float | None = None
    tuned: str = ""
    trials: int = 0

    @property
    def tone(self) -> str:
        """`better`, `worse` or `neutral`, by the corrected p-value."""
        return _TONES.get(self.result, "neutral")

    @property
    def moved(self) -> str:
        """The gain in words, as a percentage where possible."""
        if self.share:
            return wording.percent(self.share.mean, signed=True)
        return wording.signed(self.gain.mean) if self.gain else wording.NONE

    @property
    def bounds(self) -> str:
        """The interval of the gain in words."""
        if self.share:
            return self.share.said(signed=True)
        return " to ".join(map(wording.signed, self.gain.bounds or ())) if self.gain else ""


def techniques(content: Mapping[str, Any]) -> list[Standing]:
    """Every technique, best first."""
    return [_technique(entry, str(content["metric"])) for entry in content["ranking"]]


def references(content: Mapping[str, Any]) -> list[Standing]:
    """The teacher, and the student that never heard of it."""
    found = part(content, "references")
    return [_reference(role, part(found, role), str(content["metric"])) for role in (TEACHER, TWIN)]


def _technique(entry: Mapping[str, Any], metric: str) -> Standing:
    result = str(entry["result"])
    return Standing(
        name=str(entry["name"]),
        style=f"t-{_TONES.get(result, 'neutral')}",
        value=number(entry, "values", metric) or 0.0,
        rank=int(entry["rank"]),
        result=result,
        gain=interval(entry, "uplift"),
        share=_share(entry),
        p=number(entry, "p_holm"),
        gap=number(entry, "gap_closed"),
        tail=interval(entry, "tail"),
        cost=number(entry, "training", "relative"),
        seconds=number(entry, "training", "seconds"),
        tuned=str(part(entry, "tuning").get("chosen", "")),
        trials=len(part(entry, "tuning").get("trials", ())),
    )


def _reference(role: str, entry: Mapping[str, Any], metric: str) -> Standing:
    return Standing(
        name=model_label(role),
        style=model_style(role),
        value=number(entry, "values", metric) or 0.0,
        gain=interval(entry, "uplift"),
        share=_share(entry),
        cost=number(entry, "training", "relative"),
        seconds=number(entry, "training", "seconds"),
        tuned=str(part(entry, "tuning").get("chosen", "")),
        trials=len(part(entry, "tuning").get("trials", ())),
    )


def _share(entry: Mapping[str, Any]) -> Interval | None:
    """The gain as a share, where its interval is known too: a mean and its bounds are said in one unit."""
    mean, *bounds = (
        number(entry, "uplift", name) for name in ("relative", "relative_low", "relative_high")
    )
    if mean is None or None in bounds:
        return None
    return Interval(mean, *bounds)
