"""Asking a chat endpoint: every answer is paid for once, kept before it is read, and within the budget."""

from __future__ import annotations

from recdistill.asking.answers import Answer
from recdistill.asking.asker import Asker
from recdistill.asking.costs import BudgetConfig, Cost, Prices, Usage
from recdistill.asking.endpoint import BatchConfig, EndpointConfig
from recdistill.asking.ledger import Bill, Ledger
from recdistill.asking.plan import Plan
from recdistill.asking.requests import Message, Request, require_sendable

__all__ = [
    "Answer",
    "Asker",
    "BatchConfig",
    "Bill",
    "BudgetConfig",
    "Cost",
    "EndpointConfig",
    "Ledger",
    "Message",
    "Plan",
    "Prices",
    "Request",
    "Usage",
    "require_sendable",
]
