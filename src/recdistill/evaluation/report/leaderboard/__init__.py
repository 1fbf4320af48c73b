"""The leaderboard: techniques side by side, for people who must choose one."""

from recdistill.evaluation.report.leaderboard.page import render, save_leaderboard

__all__ = ["render", "save_leaderboard"]
