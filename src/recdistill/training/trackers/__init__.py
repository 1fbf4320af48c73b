"""Receivers of the numbers that a training produces."""

from recdistill.training.trackers.contract import Tracker
from recdistill.training.trackers.jsonl import JsonLines
from recdistill.training.trackers.opening import Trackers, open_trackers

__all__ = ["JsonLines", "Tracker", "Trackers", "open_trackers"]
