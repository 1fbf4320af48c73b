"""What the compared models are called, in `evaluate` and in `metrics.json`."""

from __future__ import annotations

from typing import Final

TEACHER: Final = "teacher"
STUDENT: Final = "student"
TWIN: Final = "student_without_distillation"
"""The same student, with the same budget and seeds, that never heard of the teacher."""
POPULARITY: Final = "popularity"
FURTHER: Final = "further"
"""Before the name of a teacher that is judged beside that of the run: `further/NAME`."""
