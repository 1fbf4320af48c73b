"""Signals of a teacher whose every word is known: its logits depend on the last item alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from recdistill.signals import (
    HardLabel,
    ItemVectors,
    SignalManifest,
    Signals,
    SignalWriter,
    TeacherIdentity,
    TopK,
    UserVectors,
)
from recdistill.signals.manifest import DatasetIdentity

TEACHER = TeacherIdentity(kind="test", name="oracle", revision="1", settings={})
WIDTH = 12


def oracle(dataset, seed=0):
    """`logits[last item]` over the catalogue, and the vectors of items of which they are made."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(dataset.num_items, WIDTH)).astype(np.float32)
    return vectors @ np.roll(vectors, 1, axis=0).T * 0.5, vectors


def last_items(contexts):
    return contexts.histories.values[contexts.histories.stops - 1]


def write(folder: Path, dataset, kind, keys, columns, width=WIDTH):
    manifest = SignalManifest(
        kind=kind,
        teacher=TEACHER,
        dataset=DatasetIdentity(name=dataset.name, fingerprint=dataset.fingerprint),
        fields=kind.fields(dataset.num_items, width),
    )
    writer = SignalWriter.create(folder / kind.kind, manifest)
    writer.append(keys, columns)
    writer.finish()


def speak(folder: Path, dataset, *, k=10, temperature=1.0, skip=0, change=None) -> Signals:
    """Store every kind of signal; `skip` leaves out the first contexts and items."""
    logits, vectors = oracle(dataset)
    contexts = dataset.contexts().distinct()
    contexts = contexts.take(slice(skip, None))
    last = last_items(contexts)
    scores = logits[last] - temperature * logsumexp(
        logits[last] / temperature, axis=1, keepdims=True
    )
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
    listed = np.take_along_axis(scores, items, axis=1)
    others = scores.copy()
    np.put_along_axis(others, items, -np.inf, axis=1)
    with np.errstate(divide="ignore"):
        rest = logsumexp(others / temperature, axis=1).astype(np.float32)
    top_k = {"items": items, "logits": listed.astype(np.float16), "rest": rest}
    if change:
        top_k = change(top_k)
    write(folder, dataset, TopK(k=k, temperature=temperature), contexts.keys, top_k)
    confidence = np.exp(listed[:, 0] / temperature).astype(np.float32)
    hard = {"items": items[:, 0].copy(), "confidence": confidence}
    write(folder, dataset, HardLabel(), contexts.keys, hard)
    users = {"vectors": vectors[last].astype(np.float16)}
    write(folder, dataset, UserVectors(), contexts.keys, users)
    write(folder, dataset, ItemVectors(), dataset.item_keys[skip:], {"vectors": vectors[skip:]})
    return Signals.open(folder)
