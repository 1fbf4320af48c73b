"""One context for all that a phase does to the size of its student."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from recdistill.compression.importance import Evidence
from recdistill.compression.pruning import prune
from recdistill.compression.quantising import rounding
from recdistill.compression.settings import Pruning, Quantising, Weights
from recdistill.compression.sparse import held
from recdistill.models.recommender import SequenceModel


@contextmanager
def compressed(
    student: SequenceModel,
    pruning: Pruning | None,
    quantising: Quantising | None,
    evidence: Callable[[], Evidence],
) -> Generator[None]:
    """`student` as it learns in a phase inside the block, and as it is stored when it is over.

    What is pruned whole is gone from here on; zeros are held and the table is rounded inside the block, and both
    are the student's own after it.

    Args:
        student: changed in place.
        pruning: what is cut first.
        quantising: how its item table is seen.
        evidence: what tells parts that matter; asked only where something is cut.

    Raises:
        ConfigError: see `pruning.prune`.
    """
    with ExitStack() as stack:
        if isinstance(pruning, Weights):
            stack.enter_context(held(student.network, pruning, evidence()))
        elif pruning:
            prune(student, pruning, evidence())
        if quantising:
            stack.enter_context(rounding(student.network.get_submodule("items"), quantising))
        yield
