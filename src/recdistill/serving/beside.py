"""What a server may have beside a bundle and histories."""

from __future__ import annotations

from dataclasses import dataclass

from recdistill.serving.rules import NO_RULES, Rules
from recdistill.serving.stock.store import StockStore
from recdistill.serving.teacher import StoredTeacher


@dataclass(frozen=True)
class Beside:
    """All of it may be absent.

    Attributes:
        stock: items that come, change and go.
        rules: what lists may hold.
        teacher: what it said while the student was being made.
        playground: whether there is a page to look at all that.
    """

    stock: StockStore | None = None
    rules: Rules = NO_RULES
    teacher: StoredTeacher | None = None
    playground: bool = False
