"""A chat model that puts candidates in order: what it is asked, how its answers are read, and what they come to."""

from __future__ import annotations

from recdistill.teachers.listwise.judge import ChatJudge, Endpoint
from recdistill.teachers.listwise.questions import ListwiseConfig
from recdistill.teachers.listwise.verdict import Verdict

__all__ = ["ChatJudge", "Endpoint", "ListwiseConfig", "Verdict"]
