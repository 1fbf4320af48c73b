"""Learning curves: validation of student and twin by epoch, and the terms of the student's loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.lines import Line, line_chart
from recdistill.evaluation.report.figure import Figure, Key, figure, model_keys
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.reading import STUDENT, model_label, model_style, ordered_models
from recdistill.evaluation.report.story import Curve

TOTAL, WEIGHTED = "loss", "/weighted"


def learning(curves: Sequence[Curve]) -> tuple[Figure, ...]:
    """A figure for each validation metric, and up to three for the student's loss."""
    known = [curve for curve in curves if curve.points]
    return (*_validations(known), *_losses(known))


def _validations(curves: Sequence[Curve]) -> Iterator[Figure]:
    validated = [curve for curve in curves if not curve.loss]
    for name in dict.fromkeys(curve.name for curve in validated):
        chosen = [curve for curve in validated if curve.name == name]
        models = ordered_models(dict.fromkeys(curve.model for curve in chosen))
        yield figure(
            f"{metric_title(name)} on validation, by epoch",
            "One line a seed. The dot is the epoch that was kept.",
            _drawing(metric_title(name), [_validation(curve) for curve in _stacked(chosen)]),
            model_keys(models),
        )


def _stacked(curves: Sequence[Curve]) -> list[Curve]:
    # The student is drawn last, on top.
    return sorted(curves, key=lambda curve: curve.model == STUDENT)


def _validation(curve: Curve) -> Line:
    return Line(
        _hover(model_label(curve.model), curve), curve.points, model_style(curve.model), True
    )


def _losses(curves: Sequence[Curve]) -> Iterator[Figure]:
    """Training logs call a term `kl`, its share of the total `kl/weighted`, its knobs `kl/weight` …"""
    own = [curve for curve in curves if curve.loss and curve.model == STUDENT]
    terms = _terms({curve.name for curve in own})
    yield from _family(
        "The student’s loss, term by term",
        "Mean over an epoch, before the recipe’s weights. Lower is better.",
        [(curve.name, curve) for curve in own if curve.name in terms],
    )
    yield from _family(
        "What each term adds to the loss",
        "The same, after the recipe’s weights, and their sum.",
        [*_weighted(own), *(("sum", curve) for curve in own if curve.name == TOTAL)],
    )
    yield from _family(
        "Schedules of the recipe",
        "What changes while the student learns; constants are left out.",
        [(curve.name.replace("/", " "), curve) for curve in own if _is_schedule(curve)],
    )


def _terms(names: set[str]) -> set[str]:
    """Terms are what has a weight; logs without weights hold nothing but terms and their sum."""
    weighted = {name.removesuffix(WEIGHTED) for name in names if name.endswith(WEIGHTED)}
    return weighted or {name for name in names if "/" not in name and name != TOTAL}


def _weighted(curves: Sequence[Curve]) -> Iterator[tuple[str, Curve]]:
    for curve in curves:
        if curve.name.endswith(WEIGHTED):
            yield curve.name.removesuffix(WEIGHTED), curve


def _is_schedule(curve: Curve) -> bool:
    values = {value for _, value in curve.points}
    return "/" in curve.name and not curve.name.endswith(WEIGHTED) and len(values) > 1


def _family(title: str, note: str, members: Sequence[tuple[str, Curve]]) -> Iterator[Figure]:
    """A figure of named curves, a colour for each name; none for no curves."""
    names = list(dict.fromkeys(name for name, _ in members))
    if names:
        styles = {name: f"c-{index % 6}" for index, name in enumerate(names)}
        lines = [Line(_hover(name, curve), curve.points, styles[name]) for name, curve in members]
        keys = [Key(name, style) for name, style in styles.items()]
        yield figure(title, note, _drawing(title, lines, zero=True), keys)


def _hover(label: str, curve: Curve) -> str:
    seed = "" if curve.seed is None else f", seed {curve.seed}"
    return f"{label}{seed}: {wording.significant(curve.points[-1][1])} at the last epoch"


def _drawing(title: str, lines: Sequence[Line], zero: bool = False) -> Callable[[float], str]:
    spoken = f"{title} by epoch. " + "; ".join(line.label for line in lines)
    return lambda width: line_chart(lines, spoken, width, _axis, zero=zero)


def _axis(value: float) -> str:
    return f"{value:.4g}".replace("-", wording.MINUS)
