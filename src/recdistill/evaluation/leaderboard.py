"""`leaderboard.json`: many techniques, one twin, one test; a stable interface, described in `docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from recdistill.errors import ConfigError
from recdistill.evaluation.comparison import difference, gap_closed, uplift
from recdistill.evaluation.document import bootstrap_facts, without_nan
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.multiplicity import holm
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.report.leaderboard.finding import finding
from recdistill.evaluation.roles import TEACHER, TWIN
from recdistill.evaluation.significance import Interval, interval, p_value
from recdistill.evaluation.slices import POPULARITY_GROUPS, by_popularity, values_within
from recdistill.training.log import TrainingLog

FORMAT = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""


@dataclass(frozen=True)
class Entry:
    """How the students of one technique (or their twins) came to be.

    Attributes:
        recipe: by which they learned, as plain data.
        trainings: one a seed.
        notes: what training advised of the recipe, a sentence each.
        tuning: what was `chosen`, the `trials` and the `finals` (each `what`, `validation`); `None` where nothing was
            tuned.
    """

    recipe: Mapping[str, Any]
    trainings: Sequence[TrainingLog]
    notes: Sequence[str] = field(default=())
    tuning: Mapping[str, Any] | None = None

    @property
    def tuned(self) -> dict[str, Any]:
        """The part of its entry that tells of tuning."""
        return {"tuning": dict(self.tuning)} if self.tuning else {}


def role(technique: str) -> str:
    """What a technique is called in the evaluation, where it cannot be mistaken for another model."""
    return f"technique/{technique}"


def deciding_metric(config: EvaluationConfig) -> Metric:
    """The metric by which techniques are ranked: the first that judges accuracy.

    Raises:
        ConfigError: there is none.
    """
    found = next((metric for metric in config.parsed if not metric.of_lists), None)
    if found is None:
        raise ConfigError(
            f"None of {', '.join(config.metrics)} judges accuracy, so techniques cannot be ranked.",
            "Add one to `evaluation.metrics`, such as ndcg@10.",
        )
    return found


def leaderboard(
    evaluation: Evaluation,
    entries: Mapping[str, Entry],
    twin: Entry,
    timing: Mapping[str, float],
    budget: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `leaderboard.json`, without a NaN.

    Args:
        evaluation: of the teacher, the twin, and every technique by its `role`.
        entries: the techniques, by name.
        twin: the undistilled student.
        timing: seconds of what all techniques share, by stage.
        budget: the `trials` that each was tuned with and the `share` of the epochs they took, if recipes were not
            taken as written.
    """
    metric = deciding_metric(evaluation.config)
    content: dict[str, Any] = {
        "format": FORMAT,
        "metric": str(metric),
        "techniques": len(entries),
        "seeds": len(evaluation.rankings[TWIN]),
        "dataset": dict(evaluation.dataset),
        "references": _references(evaluation, metric, twin),
        "ranking": _ranking(evaluation, metric, entries, twin),
        "bootstrap": bootstrap_facts(evaluation) | {"correction": "holm"},
        "timing": dict(timing),
        **({"budget": dict(budget)} if budget else {}),
    }
    return cast("dict[str, Any]", without_nan(content | {"verdict": _verdict(content)}))


def _verdict(content: dict[str, Any]) -> dict[str, Any]:
    """What can be said of all of them, for programs and in words."""
    best, judged = content["ranking"][0], finding(content)
    return {
        "technique": best["name"],
        "metric": content["metric"],
        "result": best["result"],
        "sentence": judged.sentence,
    }


def _references(evaluation: Evaluation, metric: Metric, twin: Entry) -> dict[str, Any]:
    return {
        TEACHER: {
            "values": _values(evaluation, TEACHER),
            "uplift": uplift(evaluation, metric, TEACHER),
        },
        TWIN: {
            "values": _values(evaluation, TWIN),
            "recipe": twin.recipe,
            "training": _training(twin, twin),
            **twin.tuned,
        },
    }


def _values(evaluation: Evaluation, of: str) -> dict[str, float]:
    return {str(metric): evaluation.value(of, metric) for metric in evaluation.metrics}


def _ranking(
    evaluation: Evaluation, metric: Metric, entries: Mapping[str, Entry], twin: Entry
) -> list[dict[str, Any]]:
    """Every technique, best first."""
    p_values = {name: _p_value(evaluation, name, metric) for name in entries}
    corrected, tails = holm(p_values), _tails(evaluation, entries, metric)
    ordered = sorted(entries, key=lambda name: -evaluation.value(role(name), metric))
    return [
        {
            "rank": place,
            "name": name,
            "values": _values(evaluation, role(name)),
            "uplift": uplift(evaluation, metric, role(name)),
            "p": p_values[name],
            "p_holm": corrected[name],
            "result": _result(evaluation, name, metric, corrected[name]),
            "behind_best": asdict(difference(evaluation, role(name), role(ordered[0]), metric)),
            **_gap(evaluation, name, metric),
            "tail": asdict(tails[name]) if name in tails else None,
            "training": _training(entries[name], twin),
            "notes": list(entries[name].notes),
            "recipe": entries[name].recipe,
            **entries[name].tuned,
        }
        for place, name in enumerate(ordered, start=1)
    ]


def _p_value(evaluation: Evaluation, name: str, metric: Metric) -> float:
    draws = evaluation.draws
    return p_value(draws[role(name), str(metric)] - draws[TWIN, str(metric)])


def _result(evaluation: Evaluation, name: str, metric: Metric, corrected: float) -> str:
    """What the corrected p-value allows to say, in the words of `Interval.shows`."""
    if corrected >= 1.0 - evaluation.config.confidence:
        return "no difference shown"
    ahead = evaluation.value(role(name), metric) > evaluation.value(TWIN, metric)
    return "better" if ahead else "worse"


def _gap(evaluation: Evaluation, name: str, metric: Metric) -> dict[str, Any]:
    teacher, student, twin = (evaluation.value(one, metric) for one in (TEACHER, role(name), TWIN))
    closed, why = gap_closed(teacher, student, twin)
    return {"gap_closed": closed, "reasons": {"gap_closed": why} if why else {}}


def _tails(
    evaluation: Evaluation, entries: Mapping[str, Entry], metric: Metric
) -> dict[str, Interval]:
    """Each technique minus the twin, where the item to be found is of the tail; nothing without such items."""
    tail = by_popularity(evaluation)[POPULARITY_GROUPS.index("tail")]
    if not tail.targets.any():
        return {}
    values = {
        one: values_within(evaluation, one, metric, tail) for one in (TWIN, *map(role, entries))
    }
    kept = evaluation.rankings[TWIN][0].ranks.of(tail.targets)[1]
    draws = evaluation.bootstrap.means(evaluation.cases.users[kept], values)
    return {
        name: interval(
            float(values[role(name)].mean() - values[TWIN].mean()),
            draws[role(name)] - draws[TWIN],
            evaluation.config.confidence,
        )
        for name in entries
    }


def _training(entry: Entry, twin: Entry) -> dict[str, Any]:
    """What one training took, the mean over seeds, and that as a multiple of the twin's."""
    seconds, base = _mean_seconds(entry), _mean_seconds(twin)
    epochs = sum(len(log.epochs) for log in entry.trainings) / len(entry.trainings)
    return {"seconds": seconds, "epochs": epochs, "relative": seconds / base if base else None}


def _mean_seconds(entry: Entry) -> float:
    return sum(log.seconds for log in entry.trainings) / len(entry.trainings)
