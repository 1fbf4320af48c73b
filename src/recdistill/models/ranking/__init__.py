"""Exact top lists and exact ranks over the whole catalogue, in bounded memory.

Scores pass by in blocks that stay in the processor's cache; targets are ranked by counting what beats
them (`counting`), lists are kept up to date (`leaders`). Ties always go to the smaller item id.
"""

from __future__ import annotations

from recdistill.models.ranking.answers import ndcg, target_ranks, top_k
from recdistill.models.ranking.rank import Questions, Ranked, rank

__all__ = ["Questions", "Ranked", "ndcg", "rank", "target_ranks", "top_k"]
