"""The student that answers now."""

from __future__ import annotations

from recdistill.serving.answering import Student


class Shelf:
    """Holds a student. Whoever answers takes it once and keeps it to the end of the answer."""

    def __init__(self, student: Student) -> None:
        self.student = student
