"""Made-up numbers in the shape of `compression.json`."""

from __future__ import annotations

from typing import Any


def form(
    quality: float, lost: float, size: int, mark: str, seconds: float = 1e-3
) -> dict[str, Any]:
    return {
        "student": "any", "form": "int8", "parameters": size // 4, "bytes": size, "bundle_bytes": size + 50_000,
        "latency_p50": seconds, "latency_p99": 3 * seconds,
        "quality": {"mean": quality, "low": quality - 0.01, "high": quality + 0.01},
        "loss": {"mean": lost, "low": lost - 0.02, "high": lost + 0.02},
        "refused": mark == "refused", "mark": mark,
    }  # fmt: skip


def sample_lessening() -> dict[str, Any]:
    """Four forms on 900 cases."""
    return {
        "format": 1,
        "metric": "ndcg@10",
        "dataset": {"name": "made-up", "valid_cases": 900, "valid_users": 300},
        "reference": "whole-float32",
        "tolerance": {"share": 0.02, "proof": "estimate"},
        "seeds": 3,
        "forms": {
            "whole-float32": form(0.1, 0.0, 1_000_000, "front"),
            "whole-int8": form(0.0999, 0.001, 280_000, "", 1.3e-3),
            "half-int8": form(0.0995, 0.005, 140_000, "knee"),
            "tiny-int8": form(0.08, 0.2, 20_000, "refused"),
        },
        "unmade": {"odd": "it <cannot> leave."},
        "bootstrap": {"confidence": 0.95, "resamples": 1000},
        "test": {
            "models": {
                "whole-float32": {"ndcg@10": 0.11, "coverage@10": 0.4},
                "half-int8": {"ndcg@10": 0.109, "coverage@10": 0.41},
            },
            "losses": {"half-int8": {"mean": 0.009, "low": -0.01, "high": 0.03}},
            "dataset": {},
        },
    }
