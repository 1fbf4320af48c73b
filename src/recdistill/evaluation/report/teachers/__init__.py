"""The judgement of teachers as a page and as a few lines."""

from __future__ import annotations

from recdistill.evaluation.report.teachers.page import render as render
from recdistill.evaluation.report.teachers.page import save_judgement as save_judgement
from recdistill.evaluation.report.teachers.terminal import table as table

__all__ = ["render", "save_judgement", "table"]
