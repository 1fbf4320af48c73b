"""The ledger: nothing is paid twice, and what was paid is known."""

from __future__ import annotations

from recdistill.asking.ledger.attempts import Ending, Raw
from recdistill.asking.ledger.batches import Batch, Batches
from recdistill.asking.ledger.bill import Bill, Customer, bill, bills
from recdistill.asking.ledger.habits import Habits, habits
from recdistill.asking.ledger.ledger import Hindrance, Ledger, default_path

__all__ = [
    "Batch",
    "Batches",
    "Bill",
    "Customer",
    "Ending",
    "Habits",
    "Hindrance",
    "Ledger",
    "Raw",
    "bill",
    "bills",
    "default_path",
    "habits",
]
