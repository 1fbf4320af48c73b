"""`transfer`: a teacher that learned on another domain, and speaks about this one through what the items are."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator

from recdistill.data.configuration import DatasetConfig
from recdistill.data.dataset import Dataset
from recdistill.data.preparation import input_identity, load_dataset
from recdistill.data.sources.registry import open_log
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec
from recdistill.progress import SilentProgress
from recdistill.settings import Settings
from recdistill.teachers.base import RecommenderBacked, weights_hash
from recdistill.teachers.features import FileSource, ItemSource
from recdistill.teachers.text_encoder import FeaturesConfig, FeatureTeacher, TextEncoderConfig
from recdistill.training.options import RunOptions, TrainingConfig


class TransferConfig(Settings):
    """Where it learned, what it knows items by, and whether it goes on learning here."""

    kind: Literal["transfer"] = "transfer"
    source: DatasetConfig
    """The source domain: another log, with items and users of its own."""
    teacher: Annotated[TextEncoderConfig | FeaturesConfig, Field(discriminator="kind")] = (
        TextEncoderConfig()
    )
    """What is fitted on the source domain. It must know items by their content alone."""
    target: FileSource | None = None
    """For a teacher of kind `features`: where the vectors of the target's items are, made by the same model as the
    source's."""
    adapt: TrainingConfig | None = None
    """How it goes on learning from the target's training events; not at all when not given."""

    @model_validator(mode="after")
    def _by_content_alone(self) -> TransferConfig:
        if self.teacher.offsets:
            raise ValueError(
                "`offsets` are free vectors of the source's items, and the target has other items: "
                "drop `offsets` from the transferred teacher"
            )
        if (self.target is not None) != isinstance(self.teacher, FeaturesConfig):
            raise ValueError(
                "a transferred teacher of kind `features` needs a `target` with the `path` of the target's vectors"
                if self.target is None
                else "`target` is for a teacher of kind `features`; texts come with the dataset"
            )
        return self

    def reading(self, teacher: FeatureTeacher) -> ItemSource:
        """Who reads the target's items, given the teacher that learned on the source's."""
        if self.target is None:
            return teacher.source
        return self.target.model_copy(update={"permuted": self.teacher.permuted})

    @property
    def besides(self) -> list[str]:
        """Hashes of the source's log and of every file of vectors."""
        log = input_identity(open_log(self.source), self.source)
        return [log, *self.teacher.besides, *(self.target.besides if self.target else ())]


class TransferTeacher(RecommenderBacked):
    """Source-domain signals through a space that both domains share.

    Fitted on the source's training events, its head knows nothing but vectors of what items are. The target's items
    are read into the same space: their vectors are standardised by the mean and the axes of the *source's* (those of
    their own would turn and stretch the space that the head knows). Everything else it learned stays as it is.
    (Items known by their texts alone, for transfer between domains: Hou et al. 2022, UniSRec.)
    """

    Config: ClassVar[type[Settings]] = TransferConfig
    config: TransferConfig

    @property
    def name(self) -> str:
        """What it reads, and where it learned."""
        source = self.config.source
        return f"{self.config.teacher.name} from {source.name or source.source}"

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        config, source = self.config, load_dataset(self.config.source)
        teacher = FeatureTeacher(config.teacher).fit(source, run.part("source"))
        there = teacher.recommender
        assert isinstance(there, SASRec)
        assert teacher.features is not None  # it was fitted just now
        read = config.reading(teacher).features(dataset, run, teacher.features.standards)
        self.texts = read.texts
        self.notes = {
            **read.notes,
            "source": {"name": source.name, "fingerprint": source.fingerprint, **teacher.notes},
            "source_revision": weights_hash(there),
        }
        self._remark(source, dataset, run)
        here = config.teacher.untrained(dataset, read.table, run.seed)
        carry_over(there, here, torch.from_numpy(read.table))
        return here.fit(dataset, config.adapt, run.part("adapt")) if config.adapt else here

    def _remark(self, source: Dataset, dataset: Dataset, run: RunOptions) -> None:
        """Tell, here and in the report, what makes a transfer none."""
        if source.fingerprint != dataset.fingerprint:
            return
        remark = (
            f"The transferred teacher learned on '{source.name}', which is the target itself: nothing was"
            " transferred."
        )
        self.notes["remarks"] = [remark]
        (run.progress or SilentProgress()).say(remark)


@torch.no_grad()
def carry_over(there: SASRec, here: SASRec, features: torch.Tensor) -> None:
    """Give `here` everything that `there` learned, over items made of `features`."""
    here.network.load_state_dict({**there.network.state_dict(), "items.features": features})
    here.network.eval()
