"""`ensemble`: several teachers as one, what they say calibrated and weighted on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from recdistill.data.dataset import Dataset
from recdistill.files import content_hash
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers import calibration
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.candidates import RerankingConfig
from recdistill.teachers.causal_lm import CausalLMConfig, CausalLMTeacher
from recdistill.teachers.chat import ChatConfig, ChatTeacher
from recdistill.teachers.combining import AnyCombiner, Mean
from recdistill.teachers.decoding.speaking import Embedding
from recdistill.teachers.file import FileConfig, FileTeacher
from recdistill.teachers.file_vectors import FileVectorsConfig, FileVectorsTeacher
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import RecommenderTeacher, RecommenderTeacherConfig
from recdistill.teachers.speech import VECTORS
from recdistill.teachers.text_encoder import (
    FeaturesConfig,
    FeatureTeacher,
    TextEncoderConfig,
    TextEncoderTeacher,
)
from recdistill.teachers.transfer import TransferConfig, TransferTeacher
from recdistill.teachers.uniting import United, unite
from recdistill.training.options import RunOptions


class EnsembleConfig(Settings):
    """Who takes part, and how much each counts."""

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[TeacherConfig, ...] = Field(min_length=1)
    weights: tuple[NonNegativeFloat, ...] | None = None
    """One for each member; chosen on validation when not given."""
    combine: AnyCombiner = Mean()
    """How what they say becomes one. Only `mean` can say vectors."""

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The default is not written, so that what was fitted before there was a choice is still the same teacher."""
        written = plain(self)
        if self.combine == Mean():
            written.pop("combine", None)  # nested, it is called twice
        return written

    @model_validator(mode="after")
    def _one_weight_each(self) -> EnsembleConfig:
        if self.weights is not None:
            if len(self.weights) != len(self.members):
                raise ValueError(f"{len(self.weights)} weights for {len(self.members)} members")
            if not any(self.weights):
                raise ValueError("at least one weight must be above 0")
        return self


TeacherConfig = Annotated[
    RecommenderTeacherConfig
    | TextEncoderConfig
    | FeaturesConfig
    | FileConfig
    | FileVectorsConfig
    | TransferConfig
    | ChatConfig
    | CausalLMConfig
    | EnsembleConfig,
    Field(discriminator="kind"),
]
"""Any teacher; configurations choose it by `kind`."""

EnsembleConfig.model_rebuild()


def never_says(config: TeacherConfig) -> frozenset[str]:
    """Kinds of signal that a teacher of this configuration cannot give, whatever it learns."""
    if isinstance(config, CausalLMConfig):
        return frozenset(() if isinstance(config.speaks, Embedding) else VECTORS)
    if isinstance(config, ChatConfig) and config.words:
        return frozenset({"item-vectors"})
    if isinstance(config, RerankingConfig):
        return frozenset(VECTORS)
    if not isinstance(config, EnsembleConfig):
        return frozenset()
    # An ensemble says what its members score, not what they say in words.
    wordy = any(isinstance(member, ChatConfig) for member in config.members)
    own = () if isinstance(config.combine, Mean) and not wordy else VECTORS
    return frozenset(own).union(*map(never_says, config.members))


class EnsembleTeacher(RecommenderBacked):
    """Calibrated opinions, combined.

    Each member's scores are divided by the temperature at which its probabilities suit the
    validation answers best, so that a loud member does not outvote a wise one; the weights are
    given, or chosen by the NDCG@10 of the combination on validation (`calibration.weights`). A
    member of weight 0 is left out.
    """

    Config: ClassVar[type[Settings]] = EnsembleConfig
    config: EnsembleConfig
    members: Sequence[RecommenderBacked] = ()
    """Known where they were fitted."""

    @property
    def name(self) -> str:
        """Its members' names."""
        return " + ".join(_member(config).name for config in self.config.members)

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        members = [
            _member(config).fit(dataset, run_of_member(run, number))
            for number, config in enumerate(self.config.members)
        ]
        return self._united(members, dataset, run)

    def around(self, members: list[RecommenderBacked], dataset: Dataset, run: RunOptions) -> Self:
        """An ensemble of members that are fitted already, calibrated and weighed on the validation of `dataset`."""
        self._recommender = self._united(members, dataset, run)
        return self

    def _united(
        self, members: list[RecommenderBacked], dataset: Dataset, run: RunOptions
    ) -> Recommender:
        self.members = members
        recommenders = [member.recommender for member in self.members]
        questions = Questions.ask(recommenders, dataset)
        temperatures = [
            calibration.temperature(questions.of(number)) for number in range(len(recommenders))
        ]
        config = self.config
        united = unite(questions, dataset, temperatures, config.weights, config.combine)
        self._take_notes(temperatures, united)
        self._tell(run)
        return united.recommender

    def _take_notes(self, temperatures: list[float], united: United) -> None:
        self.texts = self.texts_of(self.members)
        self.notes = {
            "members": [
                {
                    "name": name,
                    "temperature": round(heat, 6),
                    "weight": round(weight, 6),
                    **member.notes,
                }
                for name, member, heat, weight in zip(
                    _told_apart([member.name for member in self.members]),
                    self.members,
                    temperatures,
                    united.weights,
                    strict=True,
                )
            ],
            **united.notes,
        }
        if united.guessing:
            names = [self.notes["members"][member]["name"] for member in united.guessing]
            told = f"Near-random on validation, and therefore left out: {', '.join(names)}."
            self.notes["remarks"] = [*self.notes.get("remarks", ()), told]

    def home_of(self, number: int) -> Path | None:
        """The folder of what a member, by its number in the configuration, needs to read other items."""
        return self.home and _folder_of_member(self.home, number)

    def save_reading(self, folder: Path) -> None:
        """Write what members need to read other items."""
        for number, member in enumerate(self.members or self._silent()):
            member.save_reading(_folder_of_member(folder, number))

    def _silent(self) -> list[RecommenderBacked]:
        """The members of an ensemble that was read from a folder, who say nothing by themselves."""
        silent = [_member(config) for config in self.config.members]
        for number, member in enumerate(silent):
            member.home = self.home_of(number)
        return silent

    @staticmethod
    def texts_of(members: Sequence[RecommenderBacked]) -> str | None:
        """A hash of the texts that members read; `None` if none does."""
        texts = [member.texts for member in members if member.texts]
        return content_hash(texts) if texts else None

    def _tell(self, run: RunOptions) -> None:
        if run.progress:
            shares = [f"{note['name']} {note['weight']:.0%}" for note in self.notes["members"]]
            chosen = "given" if self.config.weights else "chosen on validation"
            run.progress.say(f"Ensemble weights, {chosen}: {', '.join(shares)}.")
            for remark in self.notes.get("remarks", ()):
                run.progress.say(remark)

    def _read_model(self, folder: Path) -> Recommender:
        return (Mixture if isinstance(self.config.combine, Mean) else Opinions).load(folder)


TEACHERS: dict[type[Settings], type[RecommenderBacked]] = {
    RecommenderTeacherConfig: RecommenderTeacher,
    TextEncoderConfig: TextEncoderTeacher,
    FeaturesConfig: FeatureTeacher,
    FileConfig: FileTeacher,
    FileVectorsConfig: FileVectorsTeacher,
    TransferConfig: TransferTeacher,
    ChatConfig: ChatTeacher,
    CausalLMConfig: CausalLMTeacher,
    EnsembleConfig: EnsembleTeacher,
}
"""The class of each kind of teacher, by that of its configuration."""


def _member(config: Any) -> RecommenderBacked:
    return TEACHERS[type(config)](config)


def _told_apart(names: list[str]) -> list[str]:
    """The same names, numbered where two are equal."""
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _folder_of_member(folder: Path, number: int) -> Path:
    return folder / "members" / str(number)


def run_of_member(run: RunOptions, number: int) -> RunOptions:
    """Each member keeps its checkpoints in a folder of its own, and draws its own random numbers: two members with the
    same settings are two opinions."""
    folder = run.folder and _folder_of_member(run.folder, number)
    return replace(
        run, folder=folder, name=f"{run.name} member {number + 1}", seed=run.seed + number
    )
