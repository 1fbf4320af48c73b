"""Made-up numbers in the shape of `metrics.json`, and the story around them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from recdistill.evaluation.report import Curve, Example, Explained, Listed, Story

METRICS = {
    "ndcg@10": (0.0831, 0.0806, 0.0719, 0.0412),
    "hit@10": (0.1627, 0.1566, 0.1446, 0.0903),
    "recall@20": (0.2284, 0.2209, 0.2034, 0.1265),
    "mrr": (0.0748, 0.0727, 0.0655, 0.0391),
    "coverage@10": (0.412, 0.391, 0.344, 0.0143),
    "novelty@10": (9.14, 9.02, 8.77, 7.31),
    "gini@10": (0.812, 0.824, 0.853, 0.991),
}
MODELS = ("teacher", "student", "student_without_distillation", "popularity")
WIDTH = 0.13


def sample_metrics() -> dict[str, Any]:
    """Numbers as the evaluation leaves them: a student that gained, on a small test."""
    models = {
        model: {name: values[place] for name, values in METRICS.items()}
        for place, model in enumerate(MODELS)
    }
    models["teacher/sasrec"] = {name: values[0] * 0.965 for name, values in METRICS.items()}
    models["teacher/text-encoder"] = {name: values[0] * 0.71 for name, values in METRICS.items()}
    twin, student = models["student_without_distillation"], models["student"]
    return {
        "models": models,
        "intervals": {
            model: {n: {"low": v * (1 - WIDTH), "high": v * (1 + WIDTH)} for n, v in values.items()}
            for model, values in models.items()
        },
        "gap_closed": {
            name: (student[name] - twin[name]) / (values[0] - twin[name])
            for name, values in METRICS.items()
        },
        "retention": {name: student[name] / values[0] for name, values in METRICS.items()},
        "uplift": {name: _uplift(student[name], twin[name], name) for name in METRICS},
        "seeds": 3,
        "dataset": {
            "name": "made-up",
            "users": 943, "items": 1682, "train_events": 80000,
            "test_cases": 166, "test_users": 166,
            "split": {"kind": "global-time", "leaks": False, "valid": 0.1, "test": 0.1},
            "filter_seen": True,
        },
        "timing": {
            "teacher_seconds": 171.4, "student_seconds": 96.2, "evaluation_seconds": 4.1,
            "ranking": {"student": {"seconds": 0.2, "cases_per_second": 5210.0}},
        },
        "slices": {
            "popularity": _slices({"head": 164, "middle": 158, "tail": 131, "cold": 31}, 0.55),
            "history": _slices({"1-5": 12, "6-20": 31, "21-50": 46, "51+": 77}, 1.12),
        },
        "agreement": {
            "student": {"overlap@10": 0.61, "rank_correlation@10": 0.38},
            "student_without_distillation": {"overlap@10": 0.44, "rank_correlation@10": 0.07},
        },
        "inheritance": {
            "teacher": {"calibration_error": 0.041, "log_likelihood": -6.1, "train": 0.12, "gap": 0.041},
            "student": {"item_cka": 0.62, "state_cka": 0.55, "calibration_error": 0.022,
                        "log_likelihood": -6.24, "top_1": 0.1, "gap": 0.023},
            "student_without_distillation": {"item_cka": 0.31, "state_cka": 0.36,
                        "calibration_error": 0.029, "log_likelihood": -6.3, "gap": 0.028},
        },
        "notes": [
            "Objective 'kl': at temperature 2 the teacher is all but one-hot (1.03 items in effect); "
            "use a temperature of about 6.5."
        ],
        "labelling": {"seconds": 12.9, "contexts": 88213, "bytes": 71.4e6, "cost": None},
        "spread": {model: dict.fromkeys(METRICS, 0.0011) for model in MODELS[1:3]},
        "bootstrap": {"resamples": 2000, "confidence": 0.95, "seeds_resampled": True},
        "costs": {
            "teacher": {"parameters": 23.9e6, "bytes": 95.6e6, "flops": 1.31e9,
                        "latency_p50": 0.0113, "latency_p99": 0.0187},
            "student": {"parameters": 214e3, "bytes": 856e3, "flops": 8.7e6,
                        "latency_p50": 0.00061, "latency_p99": 0.00118},
        },
    }  # fmt: skip


def _uplift(student: float, twin: float, name: str) -> dict[str, float]:
    spread = twin * (0.08 if name in {"ndcg@10", "coverage@10"} else 0.105)
    gain = student - twin
    return {"mean": gain, "low": gain - spread, "high": gain + spread, "relative": gain / twin}


def _slices(groups: dict[str, int], slope: float) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for step, (label, cases) in enumerate(groups.items()):
        values = {
            model: {
                "ndcg@10": METRICS["ndcg@10"][place] * slope**step * (1.4 if place == 0 else 1.2)
            }
            for place, model in enumerate(MODELS)
        }
        gain = values["student"]["ndcg@10"] - values["student_without_distillation"]["ndcg@10"]
        uplift = {"ndcg@10": {"mean": gain, "low": gain - 0.01, "high": gain + 0.01}}
        made[label] = {"cases": cases, "models": values, "uplift": uplift}
    return made


def sample_curves(epochs: int = 36) -> tuple[Curve, ...]:
    """Three seeds of student and twin that rise and flatten, and three loss terms that fall."""
    dice = random.Random(7)
    curves: list[Curve] = []
    for model, top in (("student", 0.094), ("student_without_distillation", 0.084)):
        for seed in range(3):
            points = tuple(
                (epoch, top * (1 - math.exp(-epoch / 8)) + dice.uniform(-0.0016, 0.0016))
                for epoch in range(1, epochs + 1 - 4 * seed)
            )
            curves.append(Curve(model, "ndcg@10", points, seed))
    return (*curves, *_loss_curves(range(1, epochs + 1)))


def _loss_curves(epochs: range) -> Iterator[Curve]:
    """As the distiller logs them: each term plain, weighted and with its weight, and the sum."""
    total = [0.0 for _ in epochs]
    for name, start, end, fade in (
        ("next-item", 7.1, 5.6, 0.0),
        ("kl", 2.4, 0.7, 0.7),
        ("align", 0.9, 0.24, 0.0),
    ):
        values = [end + (start - end) * math.exp(-epoch / 7) for epoch in epochs]
        weights = [1.0 - fade * epoch / len(epochs) for epoch in epochs]
        weighted = [value * weight for value, weight in zip(values, weights, strict=True)]
        total = [sum(pair) for pair in zip(total, weighted, strict=True)]
        for label, column in (("", values), ("/weight", weights), ("/weighted", weighted)):
            points = tuple(zip(epochs, column, strict=True))
            yield Curve("student", f"{name}{label}", points, 0, loss=True)
    yield Curve("student", "gradient_norm", ((1, 0.3), (2, 0.2)), 0, loss=True)
    yield Curve("student", "loss", tuple(zip(epochs, total, strict=True)), 0, loss=True)


TITLES = (
    "The Clockmaker's Daughter", "Harbour Lights", "A Winter in Trieste", "Paper Lanterns",
    "Northbound", "The Second Orchard", "Salt and Iron", "Quiet Rivers", "An Honest Thief",
    "Meridian", "The Long Recess", "Glasshouse", "Ninety Miles of Rain", "The Cartographer",
    "Low Tide", "Ordinary Saints",
)  # fmt: skip


def sample_examples() -> tuple[Example, ...]:
    """A few readers of books that do not exist."""
    dice = random.Random(3)
    return tuple(_example(str(user), dice) for user in (17, 204, 655))


def _example(user: str, dice: random.Random) -> Example:
    titles = dice.sample(TITLES, len(TITLES))
    history, targets, rest = titles[:6], titles[6:9], titles[6:]
    lists = {
        model: tuple(Listed(title, title in targets) for title in dice.sample(rest, 5))
        for model in MODELS[:3]
    }
    return Example(user, tuple(history), tuple(targets), lists)


def sample_reasons() -> tuple[Explained, ...]:
    """Two contexts about which a teacher said why, one with a long history."""
    first, *_, last = sample_examples()
    lists = [tuple(item.title for item in first.lists[model]) for model in MODELS[:2]]
    told = "Whoever follows quiet stories by the sea tends to stay with them, and this has the same author."
    return (
        Explained(first.history * 4, *lists, ((lists[0][0], told),)),
        Explained(
            last.history[:2],
            *lists,
            ((lists[0][1], "It is the second part."), (lists[0][3], "A classic.")),
        ),
    )


CONFIGURATION = """\
dataset:
  source: made-up
  split: {kind: global-time, valid: 0.1, test: 0.1}
teacher:
  kind: ensemble
  members:
    - {kind: recommender, model: {kind: sasrec, width: 128}}
    - {kind: text-encoder, model: sentence-transformers/all-MiniLM-L6-v2}
student: {kind: sasrec, width: 64, blocks: 2, history: 50}
"""


def sample_story() -> Story:
    """Every part of a story filled."""
    return Story(
        title="made-up",
        curves=sample_curves(),
        examples=sample_examples(),
        reasons=sample_reasons(),
        configuration=CONFIGURATION,
        environment={"python": "3.11.9", "packages": {"torch": "2.13.0", "polars": "2.1.0"}},
        warnings=("The hub was not reachable: the embedded encoder was used.",),
        links={"Bundle": "../bundle", "Numbers": "metrics.json"},
    )


@pytest.fixture
def metrics() -> dict[str, Any]:
    return sample_metrics()


@pytest.fixture
def story() -> Story:
    return sample_story()
