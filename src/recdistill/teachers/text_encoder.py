"""`text-encoder` and `features`: vectors of what the items are, made by a language model or kept in a file; a small
head learns who reads, sees or hears them next."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.features import FeatureHead, Features, FileSource, ItemSource, TextSource
from recdistill.training.options import RunOptions


class TextEncoderConfig(TextSource, FeatureHead):
    """Which language model reads what, and the head that learns on its vectors."""

    kind: Literal["text-encoder"] = "text-encoder"


class FeaturesConfig(FileSource, FeatureHead):
    """Item vectors of any kind (of images, of sounds, another company's) from a file, and the head that learns on
    them."""

    kind: Literal["features"] = "features"


class FeatureTeacher(RecommenderBacked):
    """Fixed vectors of the items under a trained SASRec."""

    Config: ClassVar[type[Settings]] = FeaturesConfig
    config: FeaturesConfig | TextEncoderConfig
    features: Features | None = None
    """What it learned from; known where it was fitted."""

    @property
    def source(self) -> ItemSource:
        """Whom it asks about items that it has not read yet: a fine-tuned language model, not the one it began with."""
        if self.features is not None:
            return self.features.source
        return self.config if self.home is None else self.config.became(self.home)

    def save_reading(self, folder: Path) -> None:
        """Write the language model that was fine-tuned, where one was."""
        self.source.keep(folder)

    @property
    def name(self) -> str:
        """Where its vectors come from."""
        return self.config.name

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        config = self.config
        self.features = features = config.features(dataset, run)
        self.notes, self.texts = features.notes, features.texts
        model = config.untrained(dataset, features.table, run.seed)
        return model.fit(dataset, config.training, run)


class TextEncoderTeacher(FeatureTeacher):
    """A text encoder, as it is or fine-tuned before, under a trained SASRec."""

    Config: ClassVar[type[Settings]] = TextEncoderConfig
