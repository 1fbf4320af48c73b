"""From a voice to a recommender: what has to be found out on validation first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from recdistill.data.cases import sample
from recdistill.data.dataset import Dataset
from recdistill.models.validation import takes_repeat
from recdistill.teachers import calibration
from recdistill.teachers.decoding.grounded import Grounded, GroundedConfig, title_vectors
from recdistill.teachers.decoding.listing import Listing, ListingConfig
from recdistill.teachers.decoding.speaking import Embedding, Generate
from recdistill.teachers.decoding.voice import Voice
from recdistill.teachers.decoding.weighing import share_and_temperature
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import RecommenderTeacher, RecommenderTeacherConfig
from recdistill.teachers.routing import popularity
from recdistill.training.options import RunOptions

_EXPONENTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of popularity, among which validation chooses; of equally good ones the smallest stays."""


def listing(
    speaks: Generate, voice: Voice, dataset: Dataset, run: RunOptions
) -> tuple[Listing, dict[str, Any]]:
    """A listing whose lists are believed as far as they are right on validation, and what was found out."""
    settings = RecommenderTeacherConfig(model=speaks.rest, training=speaks.training)
    folder = run.folder and run.folder / "rest"
    part = replace(run, folder=folder, name=f"{run.name}, rest")
    rest = RecommenderTeacher(settings).fit(dataset, part).recommender
    config = ListingConfig(beams=speaks.beams, repeats=takes_repeat(dataset.train.histories))
    plain = Listing(rest, voice, config)
    cases = dataset.valid.take(sample(dataset.valid, speaks.sample))
    lists = plain.listed(plain.trimmed(cases.histories))
    answers = cases.targets.values[cases.targets.starts].astype(np.int64)
    share, heat = share_and_temperature(lists, answers)
    found = {"share": round(share, 6), "temperature": round(heat, 6), "asked": len(cases)}
    chosen = {"share": found["share"], "temperature": found["temperature"]}
    return Listing(rest, voice, config.model_copy(update=chosen)), found


def grounded(speaks: Embedding, voice: Voice, dataset: Dataset) -> tuple[Grounded, dict[str, Any]]:
    """The model's own space, scores as loud as suits validation, and what was found out."""
    config = GroundedConfig(
        says=speaks.says, text_tokens=speaks.text_tokens, popularity=speaks.popularity or 0.0
    )
    vectors = torch.from_numpy(title_vectors(voice, voice.titles))
    plain = Grounded(
        dataset.vocabulary, voice, config, vectors, torch.from_numpy(popularity(dataset))
    )
    plain.dataset = dataset
    questions = Questions.ask([plain], dataset, speaks.sample)
    if speaks.popularity is None and len(questions):
        plain = _favouring(plain, questions)
        questions = replace(questions, members=[plain])
    heat = round(calibration.temperature(questions), 6)
    found = {"popularity": plain.config.popularity, "temperature": heat, "asked": len(questions)}
    return plain.again(temperature=heat), found


def _favouring(plain: Grounded, questions: Questions) -> Grounded:
    """The exponent of popularity with the best NDCG@10; what the model said is not asked again."""
    tried = [plain.again(popularity=exponent) for exponent in _EXPONENTS]
    quality = [
        float(calibration.ndcg(replace(questions, members=[one]), np.ones((1, 1)), [1.0])[0])
        for one in tried
    ]
    return tried[int(np.argmax(quality))]
