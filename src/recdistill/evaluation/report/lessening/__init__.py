"""Smaller forms of a student as a page and as a few lines."""

from __future__ import annotations

from recdistill.evaluation.report.lessening.page import render as render
from recdistill.evaluation.report.lessening.page import save_lessening as save_lessening
from recdistill.evaluation.report.lessening.terminal import table as table

__all__ = ["render", "save_lessening", "table"]
