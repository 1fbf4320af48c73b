"""Made-up numbers in the shape of `teachers.json`: a good teacher, a near-random one, and one with a lazy judge."""

from __future__ import annotations

from typing import Any

ROLES = {"teacher": 0.09, "teacher/encoder": 0.012, "further/llm": 0.061}


def sample_judgement() -> dict[str, Any]:
    """Three teachers and popularity on 900 cases."""
    values = {**ROLES, "popularity": 0.05}
    return {
        "format": 1,
        "metric": "ndcg@10",
        "dataset": {"name": "made-up", "valid_cases": 900, "valid_users": 300},
        "models": {role: {"ndcg@10": value, "hit@10": 2 * value} for role, value in values.items()},
        "intervals": {role: {"ndcg@10": {"low": value - 0.01, "high": value + 0.01}} for role, value in values.items()},
        "teachers": {
            "teacher": {
                **_teacher("teacher", 0.04, "better than chance", 0.81), "weight": None,
                "account": {"constrained": True, "grounded": 1.0},
            },
            "teacher/encoder": _teacher("member", -0.038, "near-random", 0.51),
            "further/llm": {
                **_teacher("further", 0.011, "better than chance", 0.78),
                "candidates": {
                    "number": 20, "asked": 200, "answered": 0.94, "held": 0.31,
                    "judge": _chance("near-random", 0.512),
                    "base": _chance("better than chance", 0.63),
                    "order": {"slope": 0.21, "low": 0.16, "high": 0.26, "agreement": 0.58, "asked": 100, "shown": True},
                },
                "account": {"calls": 300, "tokens": 249000, "money": 0.21,
                            "named": 6000, "in_catalogue": 5640, "grounded": 0.94},
                "remarks": ["The judge counts for a third."],
            },
        },
        "slices": {
            "popularity": {"head": _slice(300, 0.012, 0.001), "cold": {"cases": 5, "models": {}}},
            "history": {"1-5": _slice(100, 0.01, 0.4)},
        },
        "agreement": [
            {"one": one, "other": other, "overlap@10": 0.3, "rank_correlation@10": -0.2}
            for place, one in enumerate(values) for other in list(values)[place + 1 :]
        ],
        "remarks": ["old is no part of the ensemble: on validation it got no weight."],
        "bootstrap": {"resamples": 2000, "confidence": 0.95, "seed": 0, "seeds_resampled": False},
    }  # fmt: skip


def _chance(result: str, auc: float) -> dict[str, Any]:
    known = result == "better than chance"
    return {
        "cases": 900, "users": 300, "p": 1e-6 if known else 0.6, "alpha": 0.05, "result": result,
        "auc": {"value": auc, "chance": 0.5, "low": auc - 0.03, "high": auc + 0.03, "p": 0.3},
        "ndcg": {"value": 0.01, "chance": 0.0031, "low": 0.0, "high": 0.02, "p": 0.3},
    }  # fmt: skip


def _teacher(part: str, lead: float, result: str, auc: float) -> dict[str, Any]:
    return {
        "part": part,
        "weight": 0.4 if part == "member" else None,
        "chance": _chance(result, auc),
        "over_popularity": {"mean": lead, "low": lead - 0.004, "high": lead + 0.004},
        "calibration": {"calibration_error": 0.02, "confidence": 0.22, "top_1": 0.2,
                        "log_likelihood": -5.9, "temperature": 1.3},
        "candidates": None,
        "cost": {"fit_seconds": 12.0, "seconds_per_case": 2e-4, "parameters": 40000, "bytes": 160000},
        "account": {},
        "remarks": [],
    }  # fmt: skip


def _slice(cases: int, lead: float, p_holm: float) -> dict[str, Any]:
    return {
        "cases": cases,
        "models": {role: {"ndcg@10": value} for role, value in {**ROLES, "popularity": 0.05}.items()},
        "leads": {role: {"mean": lead, "low": lead - 0.01, "high": lead + 0.01, "p": p_holm, "p_holm": p_holm}
                  for role in ROLES},
    }  # fmt: skip
