"""A teacher goes on: with a log and a catalogue that have grown, as it is or after some more lessons."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError
from recdistill.models.growing import Move, grown
from recdistill.models.recommender import Recommender
from recdistill.settings import KindInShort, Settings
from recdistill.teachers.base import RecommenderBacked, weights_hash
from recdistill.teachers.ensemble import TEACHERS, EnsembleConfig, EnsembleTeacher, run_of_member
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.reading_on import read_on
from recdistill.teachers.recommender import RecommenderTeacher
from recdistill.teachers.text_encoder import FeatureTeacher
from recdistill.training.options import RunOptions, TrainingConfig

_OWN = ("name", "temperature", "weight")
"""What an ensemble notes of a member beside what the member noted itself."""


class Keep(Settings):
    """The teacher speaks on as it is; of items that it does not know, as far as their text tells."""

    kind: Literal["keep"] = "keep"


class Update(Settings):
    """The teacher starts from its weights and learns once more, on the log as it is now."""

    kind: Literal["update"] = "update"
    share: float = Field(default=0.3, gt=0, le=1)
    """How much of the epochs of its own training it takes; most of what it will know it knows."""
    training: TrainingConfig | None = None
    """How it is trained instead; members of an ensemble alike."""

    def of(self, usual: TrainingConfig) -> TrainingConfig:
        """The training of a teacher that was trained by `usual` at first."""
        epochs = max(1, round(self.share * usual.epochs))
        return self.training or usual.model_copy(update={"epochs": epochs})


GoingOn = Annotated[Keep | Update, Field(discriminator="kind"), KindInShort]
"""How a teacher goes on; its `kind` is enough."""


def go_on(
    teacher: RecommenderBacked,
    former: Dataset,
    dataset: Dataset,
    how: Keep | Update,
    run: RunOptions | None = None,
) -> RecommenderBacked:
    """The teacher of `former` as the teacher of `dataset`; `teacher` itself is left as it is.

    Kept, it says of known items in known contexts what it said, to float precision. An ensemble that is updated is
    calibrated and weighed anew; members that it did not hear stay behind.

    Args:
        teacher: fitted on `former`.
        former: the dataset that it was made for.
        dataset: the dataset as it is now.
        how: whether it learns once more.
        run: where and how; interrupted, learning goes on from `run.folder`.

    Raises:
        ConfigError: a teacher of this kind cannot go on, or its texts are read by another encoder now.
        CheckpointError: its model cannot be carried over to the catalogue.
    """
    went = _went_on(teacher, former, dataset, how, run or RunOptions())
    origin = {"revision": weights_hash(teacher.recommender), "how": how.model_dump(mode="json")}
    went.notes = {**went.notes, "continues": origin}
    return went


def _went_on(
    teacher: RecommenderBacked,
    former: Dataset,
    dataset: Dataset,
    how: Keep | Update,
    run: RunOptions,
) -> RecommenderBacked:
    if isinstance(teacher, EnsembleTeacher):
        return _ensemble(teacher, former, dataset, how, run)
    if not isinstance(teacher, RecommenderTeacher | FeatureTeacher):
        raise ConfigError(
            f"A teacher of the kind '{teacher.config.kind}' cannot go on with a log that has grown.",
            "Leave out `continues`, or choose another teacher.",
        )
    notes, texts, features = teacher.notes, teacher.texts, None
    if isinstance(teacher, FeatureTeacher):
        notes, texts, features = read_on(teacher, former, dataset, run)
    model = grown(teacher.recommender, dataset.vocabulary, features, run.seed)
    model.dataset = dataset
    if isinstance(how, Update):
        model.fit(dataset, how.of(teacher.config.training), run)
    went = type(teacher)(teacher.config).take(model, notes, texts)
    went.home = teacher.home
    return went


def _ensemble(
    teacher: EnsembleTeacher, former: Dataset, dataset: Dataset, how: Keep | Update, run: RunOptions
) -> RecommenderBacked:
    members = [
        _went_on(member, former, dataset, how, run_of_member(run, number))
        for number, member in enumerate(_heard(teacher))
    ]
    config = _config_of_heard(teacher)
    if isinstance(how, Update):
        return EnsembleTeacher(config).around(members, dataset, run)
    told = [note for note in teacher.notes["members"] if note["weight"] > 0]
    notes = [
        {**{name: note[name] for name in _OWN}, **member.notes}
        for note, member in zip(told, members, strict=True)
    ]
    together = _together(teacher.recommender, [member.recommender for member in members], dataset)
    made = EnsembleTeacher(config)
    made.members = members
    return made.take(together, {**teacher.notes, "members": notes}, made.texts_of(members))


def _heard(teacher: EnsembleTeacher) -> list[RecommenderBacked]:
    """The members that have a say, each as the teacher it is."""
    whole = teacher.recommender
    assert isinstance(whole, Mixture | Opinions)
    pairs = zip(teacher.config.members, teacher.notes["members"], strict=True)
    heard = [(number, *pair) for number, pair in enumerate(pairs) if pair[1]["weight"] > 0]
    members = [
        TEACHERS[type(config)](config).take(model, _without_own(note), None)
        for (_, config, note), model in zip(heard, whole.members, strict=True)
    ]
    for (number, _, _), member in zip(heard, members, strict=True):
        member.home = teacher.home_of(number)
    return members


def _without_own(note: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in note.items() if name not in _OWN}


def _config_of_heard(teacher: EnsembleTeacher) -> EnsembleConfig:
    config = teacher.config
    heard = [number for number, note in enumerate(teacher.notes["members"]) if note["weight"] > 0]
    weights = config.weights and tuple(config.weights[number] for number in heard)
    members = tuple(config.members[number] for number in heard)
    return config.model_copy(update={"members": members, "weights": weights})


def _together(whole: Recommender, members: list[Recommender], dataset: Dataset) -> Recommender:
    """The members combined as `whole` combined them."""
    if isinstance(whole, Mixture):
        return Mixture(members, whole.scales)
    assert isinstance(whole, Opinions)
    counts = whole.network.get_buffer("popularity")
    if len(counts):
        move = Move.between(whole.vocabulary, dataset.vocabulary)
        counts = move.carry(counts, counts.new_zeros(len(dataset.vocabulary)))
    return Opinions(members, whole.config, whole.gate, counts)
