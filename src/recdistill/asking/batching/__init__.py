"""Asking through files and batches: slower, often at half the price."""

from __future__ import annotations

from recdistill.asking.batching.batching import Batching
from recdistill.asking.batching.remote import RemoteBatches

__all__ = ["Batching", "RemoteBatches"]
