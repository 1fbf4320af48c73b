"""Teachers from configurations and from folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from recdistill.asking import EndpointConfig
from recdistill.data.dataset import Dataset
from recdistill.errors import CheckpointError
from recdistill.files import read_json
from recdistill.settings import Settings, parts
from recdistill.teachers.adapting.pupil import ADAPTATION, WEIGHTS
from recdistill.teachers.adapting.settings import Lora
from recdistill.teachers.base import (
    MODEL,
    RECORD,
    RecommenderBacked,
    decisive,
    weights_hash,
)
from recdistill.teachers.causal_lm import CausalLMConfig
from recdistill.teachers.chat import ChatConfig
from recdistill.teachers.decoding.trust import trusting as with_trust
from recdistill.teachers.ensemble import TEACHERS, EnsembleConfig, TeacherConfig
from recdistill.teachers.listwise import ChatJudge
from recdistill.teachers.sparing import judges

teacher_config: TypeAdapter[TeacherConfig] = TypeAdapter(TeacherConfig)
"""Validates plain data as the configuration of a teacher."""


def make_teacher(config: TeacherConfig | dict[str, Any]) -> RecommenderBacked:
    """An unfitted teacher of the kind that `config` names."""
    config = teacher_config.validate_python(config)
    return TEACHERS[type(config)](config)


def load_teacher(
    folder: Path | str, dataset: Dataset, *, trusting: TeacherConfig | None = None
) -> RecommenderBacked:
    """Read back a teacher that `save` wrote.

    Args:
        folder: where it was saved.
        dataset: whose catalogue it knows.
        trusting: your own configuration of it. Code that comes with a language model runs only where this says so
            (`trust_remote_code`), and chat models are asked only at endpoints, and with keys, that this names; what
            the folder says of either counts for nothing.

    Raises:
        CheckpointError: it is missing, damaged, or was made for another catalogue.
        ConfigError: it asks to run code that `trusting` does not allow.
    """
    folder = Path(folder)
    try:
        record = read_json(folder / RECORD)
        teacher = make_teacher(record["config"])
        teacher.config = _owned(teacher.config, trusting)
        with with_trust(_trusted(trusting, folder)):
            teacher.restore(folder / MODEL, record)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"The teacher in {folder} cannot be read: {str(error).splitlines()[0]}",
            "Fit it again: `recdistill label` does.",
        ) from error
    found = weights_hash(teacher.recommender)
    if found != record["revision"]:
        raise CheckpointError(
            f"The teacher in {folder} is damaged: its weights hash to {found}, but {RECORD} says"
            f" {record['revision']}.",
            "Fit it again: `recdistill label` does.",
        )
    if not teacher.recommender.vocabulary.ids.equals(dataset.vocabulary.ids):
        raise CheckpointError(
            f"The teacher in {folder} was made for another catalogue than that of '{dataset.name}':"
            f" it knows {len(teacher.recommender.vocabulary)} items, the dataset has"
            f" {dataset.num_items}.",
            "Fit a teacher on this dataset.",
        )
    teacher.recommender.dataset = dataset
    for model in judges(teacher.recommender):
        if isinstance(model.judge, ChatJudge):
            _introduce(model.judge, trusting, dataset)
    return teacher


def _owned(found: Settings, own: Settings | None) -> Settings:
    """The caller's `own` configuration, where it decides the same as the one that was `found`; else that one, which
    names nobody who would be asked."""
    if own is not None and decisive(own) == decisive(found):
        return own
    for _, endpoint in parts(found, EndpointConfig):
        endpoint.disown()
    return found


def _introduce(judge: ChatJudge, config: TeacherConfig | None, dataset: Dataset) -> None:
    """Let a judge ask where `config` says that it is to be asked, with the limits, prices and keys that stand there."""
    if isinstance(config, EnsembleConfig):
        for member in config.members:
            _introduce(judge, member, dataset)
    elif isinstance(config, ChatConfig):
        there, here = config.endpoint, judge.endpoint.where
        if (there.identity, there.model) == (here.identity, here.model):
            judge.endpoint = config.asked_at(dataset)


def _trusted(config: TeacherConfig | None, folder: Path) -> Iterator[str]:
    """The models whose code `config` allows to run; a model that was fine-tuned whole lies in `folder`."""
    if isinstance(config, EnsembleConfig):
        for member in config.members:
            yield from _trusted(member, folder)
    elif isinstance(config, CausalLMConfig) and config.trust_remote_code:
        yield config.model
        if config.adapt is not None and not isinstance(config.adapt, Lora):
            yield from map(str, folder.resolve().rglob(f"{ADAPTATION}/{WEIGHTS}"))
