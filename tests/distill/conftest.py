"""What the oracle says of the tiny dataset, for tests that only read it."""

from __future__ import annotations

import pytest
from spoken import speak


@pytest.fixture(scope="session")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset)
