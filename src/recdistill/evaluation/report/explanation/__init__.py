"""The explanation of a run as a page and as a few lines."""

from __future__ import annotations

from recdistill.evaluation.report.explanation.page import render as render
from recdistill.evaluation.report.explanation.page import save_explanation as save_explanation

__all__ = ["render", "save_explanation"]
