"""Tests of this room import their toys by name."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
