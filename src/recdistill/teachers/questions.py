"""What members of an ensemble are asked on validation, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.data.cases import Cases, sample
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.teachers.sparing import asked, spared
from recdistill.teachers.speech import BLOCK_BYTES, score_blocks

_CASES = 4096


@dataclass(frozen=True)
class Questions:
    """Validation cases with one answer each, and what some recommenders know of them.

    Attributes:
        members: the recommenders.
        states: of each member, after each history.
        cases: what was asked.
        answers: the item that came next.
        hidden: items that do not compete, row by row.
        block_bytes: how many bytes of scores may exist at a time.
    """

    members: Sequence[Recommender]
    states: Sequence[Float[Tensor, "cases _"]]
    cases: Cases
    answers: Int64[Tensor, " cases"]
    hidden: Sequences
    block_bytes: int = BLOCK_BYTES

    @classmethod
    @torch.no_grad()
    def ask(
        cls, members: Sequence[Recommender], dataset: Dataset, at_most: int = _CASES
    ) -> Questions:
        """Ask `members` about the validation cases; of very many, about a fixed sample, which is smaller where the
        word of one of them is dear.

        As in validation, each member sees its trimmed histories, and items of a history do not
        compete, unless users of this dataset take items repeatedly.
        """
        cases = _cases(members, dataset, at_most)
        answers = cases.targets.values[cases.targets.starts].astype(np.int64)
        states = [member.states(member.trimmed(cases.histories)) for member in members]
        repeat = takes_repeat(dataset.train.histories)
        hidden = cases.histories.tail(0) if repeat else cases.histories
        return cls(members, states, cases, torch.from_numpy(answers), hidden)

    def __len__(self) -> int:
        return len(self.answers)

    def of(self, *members: int) -> Questions:
        """The same questions to some members only."""
        return replace(
            self,
            members=[self.members[member] for member in members],
            states=[self.states[member] for member in members],
        )

    def blocks(self) -> Iterator[tuple[slice, list[Float32[Tensor, "rows items"]]]]:
        """The scores of all members, a block of cases at a time; the taker may overwrite them."""
        share = self.block_bytes // len(self.members)
        streams = [
            score_blocks(member, states, share)
            for member, states in zip(self.members, self.states, strict=True)
        ]
        start = 0
        for scores in zip(*streams, strict=True):
            yield slice(start, start + len(scores[0])), [part.cpu() for part in scores]
            start += len(scores[0])


def _cases(members: Sequence[Recommender], dataset: Dataset, at_most: int) -> Cases:
    cases = dataset.valid.take(sample(dataset.valid, at_most))
    chosen = np.ones(len(cases), dtype=np.bool_)
    for member in members:
        chosen &= asked(spared(member, cases.histories), cases.histories)
    return cases.take(np.flatnonzero(chosen))
