"""What descriptions of items would cost, of whatever reads them: teachers, their members, and students' features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset
from recdistill.teachers.describing import DescribingConfig
from recdistill.teachers.ensemble import EnsembleConfig, TeacherConfig
from recdistill.teachers.features import StudentFeatures, TextSource
from recdistill.teachers.features.sayings import with_sayings
from recdistill.teachers.file_vectors import FileVectorsConfig
from recdistill.teachers.transfer import TransferConfig
from recdistill.training.options import RunOptions


def descriptions(
    readers: Iterable[TeacherConfig | StudentFeatures | None], dataset: Dataset
) -> list[str]:
    """A line for each chat model that would describe items, of which a text encoder among the `readers` reads then."""
    told: dict[str, None] = {}
    for source, catalogue in (one for reader in readers for one in _readers(reader, dataset)):
        if source.describing is not None:
            told[_line(source.describing, source, catalogue)] = None
    return list(told)


def _readers(
    config: TeacherConfig | StudentFeatures | None, dataset: Dataset
) -> Iterator[tuple[TextSource, Dataset]]:
    """Who reads texts, and the items of which dataset."""
    match config:
        case EnsembleConfig():
            for member in config.members:
                yield from _readers(member, dataset)
        case TransferConfig(teacher=TextSource() as source):
            if source.describing is not None:
                yield source, load_dataset(config.source)
                yield source, dataset
        case FileVectorsConfig():
            yield from _readers(config.items, dataset)
        case TextSource():
            yield config, dataset
        case _:
            pass


def _line(describing: DescribingConfig, source: TextSource, dataset: Dataset) -> str:
    items, _ = with_sayings(source.said, dataset, RunOptions())
    plan = describing.plan(items.texts(source.template), describing.payer(dataset))
    return f"{describing.endpoint.model}: nothing was asked. To describe the items of {dataset.name}: {plan}"
