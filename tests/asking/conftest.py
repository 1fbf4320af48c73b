"""One well-behaved billing server for all who only count what is new, and fresh ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from billed import BillingServer

from recdistill.asking import Ledger


@pytest.fixture(scope="session")
def server() -> Iterator[BillingServer]:
    """Answers at once; its bill is everybody's, so ask it by `lines_of`."""
    with BillingServer() as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened
