"""The report: one page that a manager understands and an engineer trusts."""

from recdistill.evaluation.report.page import render, save_report
from recdistill.evaluation.report.story import Curve, Example, Explained, Listed, Story

__all__ = ["Curve", "Example", "Explained", "Listed", "Story", "render", "save_report"]
