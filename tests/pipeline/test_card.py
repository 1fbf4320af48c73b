"""Who taught, as a card names it."""

from __future__ import annotations

import pytest

from recdistill.pipeline.card import teacher_named


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "sasrec"}, "sasrec"),
        ({"kind": "features", "source": {"model": "org/reader"}}, "features (org/reader)"),
        ({"kind": "causal-lm", "model": "org/lm", "revision": "abc"}, "causal-lm (org/lm @ abc)"),
        ({"kind": "causal-lm", "model": "/home/somebody/lm"}, "causal-lm (lm)"),
        (
            {"kind": "ensemble", "of": [{"kind": "b", "model": "b"}, {"kind": "a", "model": "a"}]},
            "ensemble (a, b)",
        ),
        ({"kind": "chat", "candidates": {"model": {"kind": "sasrec"}}}, "chat"),
    ],
)
def test_names(settings: dict, told: str) -> None:
    assert teacher_named(settings) == told
