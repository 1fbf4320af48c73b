"""`recommender`: any model of ours as a teacher, trained on the same training split as the
student."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator

from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError
from recdistill.models.recommender import Recommender
from recdistill.models.registry import model_class, settings
from recdistill.settings import Settings, validated
from recdistill.teachers.base import RecommenderBacked
from recdistill.training.options import RunOptions, TrainingConfig


def _complete(model: dict[str, Any]) -> dict[str, Any]:
    """Check the settings and write out their defaults, so that identities show all of them."""
    with validated():
        kind = model_class(str(model.get("kind", "")))
        return {"kind": kind.kind, **settings(kind, model).model_dump(mode="json")}


AnyModel = Annotated[dict[str, Any], AfterValidator(_complete)]
"""A model of ours: its `kind` and its settings."""


class RecommenderTeacherConfig(Settings):
    """A model of ours, and how it is trained."""

    kind: Literal["recommender"] = "recommender"
    model: AnyModel
    """The model: its `kind` and its settings."""
    training: TrainingConfig = TrainingConfig()


class RecommenderTeacher(RecommenderBacked):
    """A recommender that teaches."""

    Config: ClassVar[type[Settings]] = RecommenderTeacherConfig
    config: RecommenderTeacherConfig

    @property
    def name(self) -> str:
        """The kind of the model."""
        return str(self.config.model["kind"])

    @classmethod
    def around(cls, model: Recommender) -> Self:
        """A teacher that speaks through a model as it is; fitting it would train another."""
        made = cls.of(model=model.get_config())
        made._recommender = model
        return made

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        if self.config.model.get("items", {}).get("kind") == "vectors":
            raise ConfigError(
                "This teacher makes its items from `vectors`, but nobody gives it any.",
                "Use a teacher of kind `text-encoder` or `features`, which has them.",
            )
        model = Recommender.from_config(self.config.model, dataset, seed=run.seed)
        return model.fit(dataset, self.config.training, run)
