"""What each number means, in words for a reader who has never seen one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Term:
    """A metric family: how it is written for people, what it means, and which direction is good."""

    title: str
    meaning: str
    better: Literal["higher", "lower", "neither"] = "higher"


_TERMS = {
    "ndcg": Term(
        "NDCG",
        "How near the top of the list the right items stand: 1 is perfect, 0 is never listed. A "
        "right item at place r counts 1/log2(r + 1).",
    ),
    "hit": Term("Hit rate", "The share of test cases with at least one right item in the list."),
    "recall": Term("Recall", "The share of what people really took that the list contained."),
    "precision": Term("Precision", "The share of the list that people really took."),
    "f1": Term("F1", "The harmonic mean of precision and recall."),
    "map": Term(
        "MAP", "Precision at each right item, averaged: rewards right items that come early."
    ),
    "mrr": Term("MRR", "One divided by the place of the first right item, averaged."),
    "auc": Term("AUC", "The chance that a right item scores above a wrong one; 0.5 is guessing."),
    "accuracy": Term("Accuracy", "The share of cases decided right."),
    "coverage": Term(
        "Coverage", "The share of the catalogue that is recommended to anyone at all."
    ),
    "novelty": Term(
        "Novelty",
        "How unexpected the listed items are, in bits: rarer items carry more. Neither more nor "
        "less is better by itself.",
        "neither",
    ),
    "gini": Term(
        "Gini",
        "How concentrated the recommendations are: 0 when every item is shown equally often, near "
        "1 when a few take everything.",
        "lower",
    ),
    "average_popularity": Term(
        "Mean popularity",
        "The mean number of training events of the listed items. Neither more nor less is better "
        "by itself.",
        "neither",
    ),
}

IDEAS = {
    "Teacher": "The large model, or mix of models, whose knowledge is to be passed on.",
    "Student": "The small model that learned from the data and from what the teacher said. This "
    "is what gets served.",
    "Student, not distilled": "The twin: the same small model with the same data, budget and "
    "tuning, but without the teacher. The only fair thing to compare the student with.",
    "Popularity": "Recommends the most taken items to everyone: the floor for any model.",
    "Uplift": "How much better the student is than its undistilled twin.",
    "Gap closed": "How far distillation carried the student from its twin (0 %) to the teacher "
    "(100 %). Not defined when the teacher is no better than the twin.",
    "Retention": "The student’s quality as a share of the teacher’s.",
    "Interval": "The range in which the true value lies, as far as this sample of users can tell. "
    "An uplift whose interval contains zero has not been shown.",
    "Seed": "The random start of a training. Each seed trains student and twin anew, so that one "
    "lucky start cannot decide.",
}


def term(metric: str) -> Term:
    """The term behind a metric name such as `ndcg@10`; its own name when it is not known here."""
    family = metric.split("@")[0]
    return _TERMS.get(family) or Term(family.replace("_", " ").capitalize(), "", "neither")


def metric_title(metric: str) -> str:
    """`ndcg@10` as `NDCG@10`."""
    _, at, k = metric.partition("@")
    return f"{term(metric).title}{at}{k}"


def metric_meaning(metric: str) -> str:
    """The meaning, with the length of the list where the name has one."""
    _, at, k = metric.partition("@")
    where = f" Lists of {k}." if at else ""
    return f"{term(metric).meaning}{where}".strip()
