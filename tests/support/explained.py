"""Made-up numbers in the shape of `explanation.json`: a good teacher, followed, with most of its lead taken over."""

from __future__ import annotations

from typing import Any

ROLES = ("teacher", "student", "student_without_distillation")
BASE = 0.08
CLOSE = 0.002
"""How far the bounds of a difference lie from it."""


def difference(mean: float, reach: float = CLOSE) -> dict[str, float]:
    return {"mean": mean, "low": mean - reach, "high": mean + reach}


def sample_explanation(lead: float = 0.01, gain: float = 0.008) -> dict[str, Any]:
    """Nothing in it asks for a change, unless `lead` and `gain` do."""
    values = dict(zip(ROLES, (BASE + lead, BASE + gain, BASE), strict=True))
    return {
        "format": 1,
        "metric": "ndcg@10",
        "seeds": 3,
        "dataset": {"name": "made-up", "valid_cases": 900, "valid_users": 300},
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl"}], "weighting": {"kind": "fixed"}},
        "terms": [
            _term("next-item", None, [1.0, 1.0], None),
            _term("kl", "top-k", [0.3, 1.0], [2.0, 2.0]),
        ],
        "models": {role: {"ndcg@10": value} for role, value in values.items()},
        "intervals": {role: {"ndcg@10": {"low": v - 0.01, "high": v + 0.01}} for role, v in values.items()},
        "differences": {
            "teacher": difference(lead),
            "student": difference(gain),
            "left": difference(lead - gain),
        },
        "contests": {"worse": 0.41, "better": 0.52, "equal": 0.07},
        "slices": {
            "popularity": {"head": _slice(300, 0.012, 0.001), "tail": _slice(120, 0.004, 0.4),
                           "cold": {"cases": 5, "models": {}, "lead": None}},
            "history": {"1-5": _slice(100, 0.01, 0.02)},
            "confidence": {"least sure": {**_slice(225, 0.001, 0.6), "upto": 0.12}},
        },
        "agreement": {
            "student": {"overlap@10": 0.61, "rank_correlation@10": 0.38},
            "student_without_distillation": {"overlap@10": 0.44, "rank_correlation@10": 0.07},
        },
        "taken_over": difference(0.17, 0.02),
        "likeness": {"student": {"item_cka": 0.6, "state_cka": 0.5},
                     "student_without_distillation": {"item_cka": 0.3, "state_cka": 0.3}},
        "calibration": {role: {"calibration_error": 0.02, "confidence": 0.22, "top_1": 0.2,
                               "log_likelihood": -5.9} for role in ROLES},
        "surplus_confidence": difference(0.02, 0.05),
        "temperature": 1.05,
        "sharpness": [{"term": "kl", "k": 100, "listed": 0.62, "temperature": [2.0, 2.0],
                       "entropy": [2.1, 2.1], "effective": [8.2, 8.2], "advised": None}],
        "hints": [],
        "generalisation": {
            "models": {role: {"train": 0.12, "gap": 0.03} for role in ROLES},
            "difference": difference(-0.001),
        },
        "tension": {
            "batches": 12,
            "terms": [_pull("next-item", 1.0, 0.3, 0.07), _pull("kl", 0.3, 0.1, 0.03)],
            "pairs": [{"one": "next-item", "other": "kl", "cosine": 0.12, "error": 0.03, "opposed": 0.1,
                       "items": 0.1, "encoder": None}],
        },
        "bootstrap": {"resamples": 2000, "confidence": 0.95, "seed": 0, "seeds_resampled": True},
    }  # fmt: skip


def _term(
    label: str, on: str | None, weight: list[float], heat: list[float] | None
) -> dict[str, Any]:
    taught = on is not None
    return {"term": label, "on": on, "taught": taught, "weight": weight, "temperature": heat}


def _pull(label: str, weight: float, pull: float, cosine: float) -> dict[str, Any]:
    held_out = {"cosine": cosine, "error": 0.01}
    return {"term": label, "weight": weight, "pull": pull, "held_out": held_out}


def _slice(cases: int, lead: float, p_holm: float) -> dict[str, Any]:
    twin = 0.05
    return {
        "cases": cases,
        "models": {"teacher": {"ndcg@10": twin + lead}, "student": {"ndcg@10": twin},
                   "student_without_distillation": {"ndcg@10": twin}},
        "lead": {**difference(lead), "p": p_holm / 9, "p_holm": p_holm},
    }  # fmt: skip
