"""What a teacher will be made of, known before it is trained."""

from __future__ import annotations

import polars as pl
import torch

from recdistill.data.vocabulary import Vocabulary
from recdistill.models.decoder import Decoder, DecoderConfig
from recdistill.models.given import Given, GivenConfig
from recdistill.models.popularity import Popularity, PopularityConfig
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.registry import model_class, settings
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.teachers.candidates import RerankingConfig
from recdistill.teachers.causal_lm import CausalLMConfig
from recdistill.teachers.decoding.speaking import Embedding, Generate, Likelihood
from recdistill.teachers.ensemble import EnsembleConfig, TeacherConfig
from recdistill.teachers.file_vectors import FileVectorsConfig
from recdistill.teachers.judging import Silent
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.recommender import RecommenderTeacherConfig
from recdistill.teachers.reranked import Reranked, RerankedConfig
from recdistill.teachers.transfer import TransferConfig

_NOTHING = Vocabulary(pl.Series([0]))


def stand_in(config: TeacherConfig) -> Recommender:
    """A model that knows nothing, of a catalogue of one item, made like the one the teacher will speak through.

    An ensemble has the members that can count: which of them will is chosen on validation.
    """
    if isinstance(config, EnsembleConfig):
        weights = config.weights or (1.0,) * len(config.members)
        pairs = zip(config.members, weights, strict=True)
        members = [stand_in(member) for member, weight in pairs if weight]
        return Mixture(members, [1.0] * len(members))
    if isinstance(config, RecommenderTeacherConfig):
        kind = model_class(str(config.model["kind"]))
        checked = settings(kind, {k: v for k, v in config.model.items() if k != "kind"})
        if isinstance(checked, SASRecConfig | DecoderConfig):
            return hollow(checked)
        return kind(checked, _NOTHING)
    if isinstance(config, CausalLMConfig):
        return _reader(config.speaks)
    if isinstance(config, RerankingConfig):
        base = stand_in(RecommenderTeacherConfig(model=config.candidates.model))
        return Reranked(base, Silent(), RerankedConfig())
    if isinstance(config, FileVectorsConfig):
        return Given(GivenConfig(), _NOTHING)
    return hollow((config.teacher if isinstance(config, TransferConfig) else config).head)


def _reader(speaks: Likelihood | Generate | Embedding) -> Recommender:
    """Vectors that nothing is known of, or another model with somebody beside it."""
    if isinstance(speaks, Embedding):
        return Popularity(PopularityConfig(), _NOTHING)
    model = speaks.rest if isinstance(speaks, Generate) else speaks.candidates.model
    base = stand_in(RecommenderTeacherConfig(model=model))
    return Reranked(base, Silent(), RerankedConfig())


def hollow(config: SASRecConfig | DecoderConfig) -> SequenceModel:
    """A sequence model of a catalogue of one item; of a language model's layers only the shapes."""
    if isinstance(config, DecoderConfig):
        with torch.device("meta"):
            return Decoder(config, _NOTHING)
    with torch.random.fork_rng(devices=[]):
        return SASRec(config, _NOTHING)
