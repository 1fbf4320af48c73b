"""The choice of contexts as a stage: what the teacher will be asked, found once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt64

from recdistill.files import atomic_path, content_hash, read_json, write_json
from recdistill.pipeline.pipeline import stage_key
from recdistill.pipeline.stages import Stage
from recdistill.teachers.labelling import said_before
from recdistill.teachers.selecting import All, Circumstances, Eligible

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

_KEYS, _FACTS = "chosen.npy", "selection.json"


@dataclass(frozen=True)
class Selected:
    """What the stage left in its folder."""

    folder: Path

    @cached_property
    def keys(self) -> UInt64[np.ndarray, " chosen"]:
        """Of the contexts that are asked about."""
        return np.load(self.folder / _KEYS, allow_pickle=False)

    @property
    def facts(self) -> dict[str, Any]:
        """How many `contexts` `of` how many, and what the choice found out."""
        return read_json(self.folder / _FACTS)

    @property
    def identity(self) -> str:
        """A hash of the choice."""
        return content_hash([str(key) for key in np.sort(self.keys)])

    @property
    def sentence(self) -> str:
        """For people."""
        facts = self.facts
        return (
            f"The teacher was asked about {facts['contexts']:,} of {facts['of']:,} contexts (select: {facts['kind']}); "
            "in all others the student heard nothing of it."
        )


def selected(pipeline: Pipeline) -> Selected | None:
    """Bring the choice up to date; `None` where all are asked about.

    Raises:
        DataError: it needs validation cases and there are none.
    """
    select = pipeline.config.select
    if isinstance(select, All):
        return None
    teacher, dataset, said = pipeline.teacher, pipeline.dataset, pipeline.said_before
    key = stage_key(
        dataset.fingerprint,
        select.model_dump(mode="json"),
        teacher.identity().digest if select.asks else "",
        *([pipeline.spoken(said.signals)] if said else []),
    )

    def choose(folder: Path) -> None:
        eligible = Eligible.of(dataset)
        if said:
            known = said_before(teacher, dataset, pipeline.config.signals, said)
            eligible = eligible.take(np.flatnonzero(~np.isin(eligible.contexts.keys, known)))
        run = pipeline.options("selection", folder)
        choice = select.choose(eligible, Circumstances(dataset, teacher.recommender, run))
        _write(folder, eligible.contexts.keys[choice.rows])
        counts = {"kind": select.kind, "contexts": len(choice.rows), "of": len(eligible)}
        write_json(folder / _FACTS, {**counts, **choice.facts})

    return Selected(pipeline.stage(Stage("selection", key, choose)).folder)


def _write(folder: Path, keys: UInt64[np.ndarray, " chosen"]) -> None:
    with atomic_path(folder / _KEYS) as path, path.open("wb") as stream:
        np.save(stream, keys, allow_pickle=False)
