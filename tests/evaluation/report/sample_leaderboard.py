"""Made-up numbers in the shape of `leaderboard.json`."""

from __future__ import annotations

import random
from typing import Any

TWIN, TEACHER = 0.0719, 0.0831
NAMES = (
    "soft-labels", "de-rrd", "relaxed-ranking", "inherited-soft-labels", "list-mle", "decoupled",
    "hints", "hierarchical-topology", "gradient-norm-weighting", "margins", "soft-bce", "hard-labels",
)  # fmt: skip


def entry(rank: int, name: str, share: float, p: float, cost: float) -> dict[str, Any]:
    """One technique that gained `share` of the undistilled student."""
    gain, half = share * TWIN, 0.045
    result = "no difference shown" if p >= 0.05 else "better" if share > 0 else "worse"
    return {
        "rank": rank, "name": name, "result": result, "p": p / 4, "p_holm": p,
        "values": {"ndcg@10": TWIN + gain, "coverage@10": 0.3},
        "uplift": {
            "mean": gain, "low": gain - half * TWIN, "high": gain + half * TWIN,
            "relative": share, "relative_low": share - half, "relative_high": share + half,
        },
        "behind_best": {"mean": -0.001 * rank, "low": -0.004, "high": 0.0035 - 0.001 * rank},
        "gap_closed": gain / (TEACHER - TWIN), "reasons": {},
        "tail": {"mean": gain / 3, "low": gain / 3 - 0.002, "high": gain / 3 + 0.002},
        "training": {"seconds": 41.0 * cost, "epochs": 14.3, "relative": cost},
        "notes": ["Objective 'kl': use a temperature of about 2."] if rank == 1 else [],
        "recipe": {"objectives": [{"kind": "next-item", "weight": 1.0}, {"kind": "kl"}]},
    }  # fmt: skip


def sample_leaderboard(names: tuple[str, ...] = NAMES, best: float = 0.11) -> dict[str, Any]:
    """Techniques from `best` downwards, the first few of which show something."""
    dice = random.Random(5)
    shares = [best - 0.014 * place for place in range(len(names))]
    ranking = [
        entry(place, name, share, 0.004 if abs(share) > 0.06 else 0.4, dice.uniform(0.9, 2.2))
        for place, (name, share) in enumerate(zip(names, shares, strict=True), start=1)
    ]
    uplift = entry(0, "", TEACHER / TWIN - 1, 0.01, 1.0)["uplift"]
    return {
        "format": 1, "metric": "ndcg@10", "techniques": len(names), "seeds": 3,
        "dataset": {
            "name": "made-up", "users": 943, "items": 1682, "test_cases": 4000, "test_users": 766,
            "split": {"kind": "global-time", "leaks": False}, "filter_seen": True,
        },
        "references": {
            "teacher": {"values": {"ndcg@10": TEACHER}, "uplift": uplift},
            "student_without_distillation": {
                "values": {"ndcg@10": TWIN},
                "recipe": {"objectives": [{"kind": "next-item"}]},
                "training": {"seconds": 41.0, "epochs": 15.0, "relative": 1.0},
            },
        },
        "ranking": ranking,
        "bootstrap": {"resamples": 10_000, "confidence": 0.95, "seeds_resampled": True},
        "timing": {"dataset": 1.2, "teacher": 160.0, "signals": 12.0},
        "verdict": {"technique": names[0], "metric": "ndcg@10", "sentence": "A sentence."},
    }  # fmt: skip
