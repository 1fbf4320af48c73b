"""Prompts: templates in files, texts of items fenced as data."""

from __future__ import annotations

from recdistill.teachers.prompts.cutoff import shown
from recdistill.teachers.prompts.fencing import FenceConfig
from recdistill.teachers.prompts.prompt import Prompt, Shown, checked, labels
from recdistill.teachers.prompts.template import Rendered, Template, shipped_templates

__all__ = [
    "FenceConfig",
    "Prompt",
    "Rendered",
    "Shown",
    "Template",
    "checked",
    "labels",
    "shipped_templates",
    "shown",
]
