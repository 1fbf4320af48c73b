"""Pruning a student to a target: refused before training where it cannot be, and done when its phase begins."""

from __future__ import annotations

import logging

import torch

from recdistill.compression.cutting import shrink
from recdistill.compression.importance import CRITERIA, Evidence
from recdistill.compression.plans import Plan, plan
from recdistill.compression.settings import Structure
from recdistill.compression.sizing import parameters, reduced, target, within
from recdistill.errors import ConfigError
from recdistill.models.item_encoders import IdItems
from recdistill.models.recommender import SequenceModel
from recdistill.models.sasrec import SASRec, SASRecConfig

_log = logging.getLogger(__name__)


def goal(student: SequenceModel, wanted: Structure) -> SASRecConfig:
    """What pruning will leave.

    Raises:
        ConfigError: the student has no such parts, or the target is out of reach.
    """
    return target(_prunable(student, wanted).config, student.vocabulary, wanted)


def foretold(student: SequenceModel, wanted: Structure) -> SASRec:
    """An untrained model made like the one that pruning will leave. How much of each part that is depends on the
    catalogue, which a stand-in for the student does not have.

    Raises:
        ConfigError: the student has no such parts.
    """
    config = _prunable(student, wanted).config
    share = wanted.parameters or wanted.operations or wanted.share or 1.0
    left = within(reduced(config.shape, wanted.parts, share), config.shape)
    with torch.random.fork_rng(devices=[]):
        return SASRec(config.model_copy(update={"pruned": left}), student.vocabulary)


def prune(student: SequenceModel, wanted: Structure, evidence: Evidence) -> Plan | None:
    """Cut `student` down to its target, in place; `None` where it is small enough already.

    Raises:
        ConfigError: see `goal`.
    """
    config, student = goal(student, wanted), _prunable(student, wanted)
    before = student.config
    if config.shape == before.shape:
        return None
    found = plan(CRITERIA[wanted.by](student, evidence), config.shape)
    shrink(student, found)
    _log.info(
        "Pruned by %s from %d to %d parameters: item vectors of %d, %s.",
        wanted.by,
        parameters(before, student.vocabulary),
        parameters(config, student.vocabulary),
        config.shape.width,
        "; ".join(
            f"block {one.number} with {len(one.heads)} heads and {len(one.units)} units"
            for one in found.blocks
        ),
    )
    return found


def _prunable(student: SequenceModel, wanted: Structure) -> SASRec:
    if not isinstance(student, SASRec):
        raise ConfigError(
            f"`prune` takes parts out of a SASRec, and this student is a {student.kind}.",
            "Use `prune: {kind: weights, keep: …}`, which any model can bear; a decoder is made of fewer `layers`.",
        )
    if "width" in wanted.parts:
        _require_free_items(student)
    return student


def _require_free_items(student: SASRec) -> None:
    free = isinstance(student.network.items, IdItems)
    if free and not student.config.outcomes:
        return
    raise ConfigError(
        "`prune` cannot narrow the item vectors of this student: "
        + (
            "its heads for outcomes read them as they are."
            if free
            else "they are made of features, not its own."
        ),
        "Write `parts: [units, heads]` (or `blocks`), which leave them alone.",
    )
