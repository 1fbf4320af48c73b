"""`teachers.json`: what teachers are worth; described in `docs/judging.md`.

Everything is measured on validation cases. The test stays closed: whoever chooses a teacher after reading this may
still open it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np

from recdistill.evaluation.agreement import overlap, rank_correlation
from recdistill.evaluation.comparison import difference
from recdistill.evaluation.document import bootstrap_facts, without_nan
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.judging.contract import Known, Panel
from recdistill.evaluation.lessons import leads
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.multiplicity import holm
from recdistill.evaluation.report.teachers.finding import finding
from recdistill.evaluation.roles import POPULARITY
from recdistill.evaluation.significance import interval
from recdistill.evaluation.slices import cuts, slices
from recdistill.teachers.chance import Verdict, against_chance

FORMAT = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""
_LISTED = 10


def judgement(panel: Panel) -> dict[str, Any]:
    """The content of `teachers.json`, without a NaN."""
    found = panel.evaluation
    metric = next(metric for metric in found.metrics if not metric.of_lists)
    chances = by_chance(panel)
    content: dict[str, Any] = {
        "format": FORMAT,
        "metric": str(metric),
        "dataset": dict(found.dataset),
        "models": _values(found),
        "intervals": _intervals(found),
        "teachers": {
            role: _teacher(found, role, known, metric, chances.get(role))
            for role, known in panel.teachers.items()
        },
        "slices": _slices(panel, metric),
        "agreement": _agreement(found),
        "remarks": list(panel.remarks),
        "bootstrap": bootstrap_facts(found),
    }
    content = cast("dict[str, Any]", without_nan(content))
    judged = finding(content)
    return content | {"verdict": {"result": judged.chip, "sentence": judged.sentence}}


def by_chance(panel: Panel) -> dict[str, Verdict]:
    """Each teacher beside a random order of the catalogue; p-values corrected for how many were judged (Holm)."""
    verdicts = {
        role: against_chance(known.standing)
        for role, known in panel.teachers.items()
        if len(known.standing)
    }
    corrected = holm({role: one.p for role, one in verdicts.items()})
    return {role: replace(one, p=corrected[role]) for role, one in verdicts.items()}


def _values(found: Evaluation) -> dict[str, dict[str, float]]:
    return {
        role: {str(metric): found.value(role, metric) for metric in found.metrics}
        for role in found.rankings
    }


def _intervals(found: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    told: dict[str, dict[str, dict[str, float]]] = {role: {} for role in found.rankings}
    for (role, metric), draws in found.draws.items():
        bounds = interval(0.0, draws, found.config.confidence)
        told[role][metric] = {"low": bounds.low, "high": bounds.high}
    return told


def _teacher(
    found: Evaluation, role: str, known: Known, metric: Metric, chance: Verdict | None
) -> dict[str, Any]:
    return {
        "part": known.part,
        "weight": known.weight,
        "chance": chance.facts() if chance else None,
        "over_popularity": asdict(difference(found, role, POPULARITY, metric)),
        "calibration": {**known.beliefs.facts(), "temperature": known.temperature},
        "candidates": known.among.facts() if known.among else None,
        "cost": dict(known.cost),
        "account": dict(known.account),
        "remarks": list(known.remarks),
    }


def _slices(panel: Panel, metric: Metric) -> dict[str, Any]:
    """Every slice as in `metrics.json`, and each teacher's lead over popularity where there are users enough."""
    found, parts = slices(panel.evaluation), cuts(panel.evaluation)
    for role in panel.teachers:
        for cut, groups in leads(panel.evaluation, metric, parts, role, POPULARITY).items():
            for name, lead in groups.items():
                found[cut][name].setdefault("leads", {})[role] = lead
    return found


def _agreement(found: Evaluation) -> list[dict[str, Any]]:
    """How alike the lists of every two are."""
    roles = list(found.rankings)
    return [
        {"one": one, "other": other, **_alike(found, one, other)}
        for place, one in enumerate(roles)
        for other in roles[place + 1 :]
    ]


def _alike(found: Evaluation, one: str, other: str) -> Mapping[str, float]:
    lists = [found.rankings[role][0].top[:, :_LISTED] for role in (one, other)]
    return {
        f"overlap@{_LISTED}": float(np.mean(overlap(*lists))),
        f"rank_correlation@{_LISTED}": float(np.mean(rank_correlation(*lists))),
    }
