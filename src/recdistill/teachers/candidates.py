"""Teachers that put the candidates of a trained recommender in order: where the candidates come from, and how much
the judge's word is worth."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int64
from pydantic import Field, PositiveInt

from recdistill.data.cases import sample
from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.progress import SilentProgress
from recdistill.settings import Settings
from recdistill.teachers import calibration
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.blending import Blend, fitted
from recdistill.teachers.judging import Judge
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import (
    AnyModel,
    RecommenderTeacher,
    RecommenderTeacherConfig,
)
from recdistill.teachers.reranked import Judged, Reranked, RerankedConfig
from recdistill.training.options import RunOptions, TrainingConfig

_CASES = 4096


class CandidatesConfig(Settings):
    """Who proposes what a judge puts in order."""

    model: AnyModel = Field(default={"kind": "sasrec"}, validate_default=True)
    """The model, trained on the training split: its `kind` and its settings."""
    training: TrainingConfig = TrainingConfig()
    number: PositiveInt = 20
    """How many of its best items the judge is shown."""


class RerankingConfig(Settings):
    """What all teachers have in common that put candidates in order."""

    candidates: CandidatesConfig = CandidatesConfig()
    blend: Blend | None = None
    """How much base and judge count; fitted on validation cases when not given."""
    sample: PositiveInt | None = 200
    """A judge may be dear: about no more than so many validation cases it is asked while the teacher is fitted, and
    about so many of the cases on which the teacher is evaluated; on the others its base speaks. `null`: about all."""

    @property
    def besides(self) -> list[str]:
        """Hashes of what is read beside the dataset."""
        return []


class RerankingTeacher(RecommenderBacked):
    """A trained recommender proposes, a judge puts in order; a subclass says who judges."""

    Config: ClassVar[type[Settings]] = RerankingConfig

    @abstractmethod
    def _judge(self, dataset: Dataset, run: RunOptions) -> Judge:
        """Who puts the candidates of this dataset in order."""

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        judge = self._judge(
            dataset, run
        )  # what is wrong with it is told before anything is trained
        reranked, found = reranking(self.config, judge, dataset, run)
        self.notes = {**self.notes, **found}
        return reranked

    def _read_model(self, folder: Path) -> Recommender:
        return Reranked.load(folder)


def reranking(
    config: RerankingConfig, judge: Judge, dataset: Dataset, run: RunOptions
) -> tuple[Reranked, dict[str, Any]]:
    """Train the base, find out how far it may be believed, and how much `judge` counts beside it.

    Returns:
        What speaks, and what was found out, for the notes of a teacher.
    """
    base = _trained(config.candidates, dataset, run)
    heat = calibration.temperature(Questions.ask([base], dataset))
    plain = RerankedConfig(
        number=config.candidates.number,
        temperature=heat,
        blend=config.blend or Blend(),
        repeats=takes_repeat(dataset.train.histories),
        sample=config.sample,
    )
    reranked = Reranked(base, judge, plain)
    found: dict[str, Any] = {"temperature": round(heat, 6)}
    if config.blend is None:
        blend, told = _weighed(reranked, dataset)
        reranked = Reranked(base, judge, plain.model_copy(update={"blend": blend}))
        found |= told
        for remark in told["remarks"]:
            (run.progress or SilentProgress()).say(remark)
    return reranked, found


def _trained(config: CandidatesConfig, dataset: Dataset, run: RunOptions) -> Recommender:
    settings = RecommenderTeacherConfig(model=config.model, training=config.training)
    folder = run.folder and run.folder / "candidates"
    part = replace(run, folder=folder, name=f"{run.name}, candidates")
    return RecommenderTeacher(settings).fit(dataset, part).recommender


def _weighed(reranked: Reranked, dataset: Dataset) -> tuple[Blend, dict[str, Any]]:
    """How much the judge counts, by validation, and how that was found."""
    valid = dataset.valid.take(sample(dataset.valid, _CASES))
    cases = valid.take(np.flatnonzero(reranked.about(valid.histories).asked(valid.histories)))
    if not len(cases):
        return Blend(), {
            "remarks": ["There were no validation cases to tell how much the judge counts."]
        }
    said = reranked.said(reranked.states(reranked.trimmed(cases.histories)))
    answers = cases.targets.values[cases.targets.starts].astype(np.int64)
    blend, proposed = _blend(said, answers)
    answered = int(said.judged.isfinite().any(1).sum())
    told = {
        "blend": blend.model_dump(mode="json"),
        "asked": len(cases),
        "answered": answered,
        "proposed": proposed,
    }
    return blend, {**told, "remarks": [_sentence(blend, len(cases), answered, proposed)]}


def _blend(said: Judged, answers: Int64[np.ndarray, " cases"]) -> tuple[Blend, int]:
    """By the cases whose answer is among the judged candidates, and how many these are."""
    here = (said.candidates == torch.from_numpy(answers)[:, None].to(said.candidates)) & (
        said.judged.isfinite()
    )
    rows = here.any(1)
    log_p, judged = (part[rows].double().cpu().numpy() for part in (said.log_p, said.judged))
    columns = here[rows].long().argmax(1).cpu().numpy()
    return fitted(log_p, judged, columns), int(rows.sum())


def _sentence(blend: Blend, asked: int, answered: int, proposed: int) -> str:
    weight = (
        f"it counts {blend.judge:.3g}, the base's order {blend.base:.3g}"
        if blend.judge
        else "it counts nothing beside the base, which speaks alone"
    )
    return (
        f"The judge answered {answered} of {asked} validation cases; in {proposed} of them the right item was among "
        f"the candidates it judged. By these, {weight}."
    )
