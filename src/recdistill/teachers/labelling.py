"""Asking a teacher about every context once, and keeping the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from recdistill.data.contexts import Contexts
from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError
from recdistill.progress import Progress, SilentProgress
from recdistill.signals.carrying import Former
from recdistill.signals.collection import Signals
from recdistill.signals.kinds import ItemVectors, SignalKind
from recdistill.signals.manifest import DatasetIdentity, Expectation, SignalManifest
from recdistill.signals.writer import SHARD_ROWS, SignalWriter
from recdistill.teachers.contract import Teacher
from recdistill.teachers.silence import Listener
from recdistill.teachers.speech import unsayable
from recdistill.teachers.unanswered import UnansweredError

_BATCH = 4096


def label(
    teacher: Teacher,
    dataset: Dataset,
    into: Path | str,
    kinds: Sequence[SignalKind],
    progress: Progress | None = None,
    shard_rows: int = SHARD_ROWS,
    former: Former | None = None,
    chosen: UInt64[np.ndarray, " chosen"] | None = None,
) -> Signals:
    """Ask `teacher` about every distinct context of the training events, or those `chosen`, and keep what it says.

    Interrupted at any moment and called again, it goes on: finished shards are kept, every other
    context is asked about once. The result is the same, byte by byte, as without the interruption. What an endpoint did
    not answer for a reason that may pass interrupts, too, after all else was asked.

    Args:
        teacher: a fitted teacher.
        dataset: about whose training events.
        into: a folder; each kind gets a sub-folder of its own.
        kinds: what to ask.
        progress: who watches.
        shard_rows: contexts a file; at most so many are asked about again after an interruption.
        former: what was said before; contexts that it knows are not asked about again. Item vectors always are: they
            cost no context.
        chosen: the keys of the contexts to ask about (see `teachers.selecting`); all others are left out, unless
            they were said before.

    Raises:
        ConfigError: the teacher cannot say one of the kinds, or one is asked twice.
        SignalError: the folder holds signals of another teacher, dataset or kind, or what was said before is not of
            the kinds that are asked.
        UnansweredError: some questions have no answer yet; call again, and these are asked.
        StorageError: the disk refused; free some space and call again.
    """
    into = Path(into)
    _check(teacher, kinds)
    contexts = dataset.contexts().distinct()
    manifests = {kind: _manifest(teacher, dataset, kind) for kind in kinds}
    told = {kind: one for kind, one in manifests.items() if not isinstance(kind, ItemVectors)}
    known = contexts.keys[:0]
    if former:
        known = former.known(contexts.keys, [*told.values()])
        manifests |= {kind: former.credited(one, known) for kind, one in told.items()}
        contexts = contexts.take(np.flatnonzero(~np.isin(contexts.keys, known)))
    if chosen is not None:
        contexts = contexts.take(np.flatnonzero(np.isin(contexts.keys, chosen)))
    writers = {
        kind: SignalWriter.create(into / kind.kind, manifest, shard_rows)
        for kind, manifest in manifests.items()
    }
    for kind, writer in writers.items():
        if isinstance(kind, ItemVectors):
            _label_items(teacher, dataset, writer)
        elif former:
            former.carry(known, writer)
    _label_contexts(
        teacher,
        contexts,
        {kind: writers[kind] for kind in told},
        progress or SilentProgress(),
        shard_rows,
    )
    for writer in writers.values():
        writer.finish()
    origin = Expectation(_dataset_identity(dataset), teacher.identity())
    return Signals.open(into, origin)


def said_before(
    teacher: Teacher, dataset: Dataset, kinds: Sequence[SignalKind], former: Former
) -> UInt64[np.ndarray, " known"]:
    """The keys of the contexts that `label` would take over."""
    wanted = [
        _manifest(teacher, dataset, kind) for kind in kinds if not isinstance(kind, ItemVectors)
    ]
    return former.known(dataset.contexts().distinct().keys, wanted)


def _check(teacher: Teacher, kinds: Sequence[SignalKind]) -> None:
    names = [kind.kind for kind in kinds]
    for name in names:
        if name not in teacher.says:
            raise unsayable(name, teacher.says)
        if names.count(name) > 1:
            raise ConfigError(
                f"Signal '{name}' is asked for twice.",
                "Keep one of them; a folder holds one of a kind.",
            )


def _manifest(teacher: Teacher, dataset: Dataset, kind: SignalKind) -> SignalManifest:
    return SignalManifest(
        kind=kind,
        teacher=teacher.identity(),
        dataset=_dataset_identity(dataset),
        fields=kind.fields(dataset.num_items, teacher.width),
    )


def _dataset_identity(dataset: Dataset) -> DatasetIdentity:
    return DatasetIdentity(name=dataset.name, fingerprint=dataset.fingerprint)


def _label_items(teacher: Teacher, dataset: Dataset, writer: SignalWriter) -> None:
    missing = np.flatnonzero(writer.absent(dataset.item_keys))
    if len(missing):
        writer.append(dataset.item_keys[missing], {"vectors": teacher.item_vectors()[missing]})


def _label_contexts(
    teacher: Teacher,
    contexts: Contexts,
    writers: dict[SignalKind, SignalWriter],
    progress: Progress,
    shard_rows: int,
) -> None:
    """Shard by shard: the make-up of a batch decides the last bits of its scores, so none spans
    two."""
    work = [
        (contexts.take(first + rows[start : start + _BATCH]), kinds)
        for first in range(0, len(contexts), shard_rows)
        for rows, kinds in _missing(contexts.take(slice(first, first + shard_rows)), writers)
        for start in range(0, len(rows), _BATCH)
    ]
    done = len(contexts) - sum(len(batch) for batch, _ in work)
    listener, missed = Listener(teacher), list[UnansweredError]()
    with progress.task("Labelling", len(contexts), "contexts", done=max(done, 0)) as task:
        for batch, kinds in work:
            try:
                said = teacher.speak(batch, kinds)
            except UnansweredError as error:
                missed.append(error)
            # Rows keep their order, so none is written behind a gap; but all are asked about, and what was answered
            # costs nothing the next time.
            else:
                if not missed:
                    silent = listener.since()
                    for kind in kinds:
                        writers[kind].append(batch.keys, said[kind.kind], silent.get(kind.kind))
                    task.advance(len(batch))
    if missed:
        raise UnansweredError.together(missed)


def _missing(
    shard: Contexts, writers: dict[SignalKind, SignalWriter]
) -> Iterator[tuple[Int64[np.ndarray, " rows"], list[SignalKind]]]:
    """The rows that have to be asked about, with the kinds that lack just these (most often all
    kinds)."""
    groups: dict[bytes, list[SignalKind]] = {}
    for kind, writer in writers.items():
        groups.setdefault(writer.absent(shard.keys).tobytes(), []).append(kind)
    for mask, kinds in groups.items():
        yield np.flatnonzero(np.frombuffer(mask, dtype=np.bool_)), kinds
