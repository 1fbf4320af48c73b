"""What the page tells beyond `metrics.json`: curves, examples, configuration, circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recdistill.evaluation.report.wording import Real


@dataclass(frozen=True)
class Curve:
    """One quantity of one training, by epoch.

    Attributes:
        model: whose training: a key of `metrics["models"]`, such as `student`.
        name: what was measured: a metric (`ndcg@10`, on validation) or a loss term (`kl`).
        points: pairs of epoch and value, in epoch order.
        seed: of the training; several seeds of one model are drawn as one family.
        loss: whether it is a term of the training loss rather than a validation metric.
    """

    model: str
    name: str
    points: tuple[tuple[Real, Real], ...]
    seed: int | None = None
    loss: bool = False


@dataclass(frozen=True)
class Listed:
    """An item in a recommended list; `hit` when the person did take it next."""

    title: str
    hit: bool = False


@dataclass(frozen=True)
class Example:
    """One person of the test: what they took, what came next, and what each model recommended.

    Attributes:
        user: raw id, or any name for the person.
        history: titles, oldest first; the page shows the last ones.
        targets: titles of what they really took next.
        lists: model key to its list, best first.
    """

    user: str
    history: tuple[str, ...]
    targets: tuple[str, ...]
    lists: Mapping[str, tuple[Listed, ...]]


@dataclass(frozen=True)
class Explained:
    """A context about which the teacher said why.

    Attributes:
        history: titles, oldest first.
        teacher: titles of its list, best first.
        student: titles of the student's.
        why: the title of an item on the teacher's list, and the reason it gave, in its own words.
    """

    history: tuple[str, ...]
    teacher: tuple[str, ...]
    student: tuple[str, ...]
    why: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Story:
    """Everything on the page that is not a number of `metrics.json`; any part may be empty.

    Attributes:
        title: what the page is about: the name of the run or of the dataset.
        curves: learning curves of any models and seeds.
        examples: people to look at.
        reasons: contexts about which the teacher said why.
        configuration: the resolved configuration, as YAML text.
        environment: machine and versions, nested as they come.
        warnings: sentences that a reader must not miss; the page adds its own from the metrics.
        links: label to relative path of what lies beside the page, such as the bundle.
        choice: what `recipe: auto` tried and chose; empty where the recipe was given.
    """

    title: str
    curves: tuple[Curve, ...] = ()
    examples: tuple[Example, ...] = ()
    reasons: tuple[Explained, ...] = ()
    configuration: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    choice: Mapping[str, Any] = field(default_factory=dict[str, Any])
