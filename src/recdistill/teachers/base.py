"""Teachers that hold a recommender: one way to speak, to be identified, saved and loaded for all of
them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float32

from recdistill.data.contexts import Contexts
from recdistill.data.dataset import Dataset
from recdistill.errors import RecDistillError
from recdistill.files import write_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind
from recdistill.signals.manifest import TeacherIdentity
from recdistill.signals.shards import Columns
from recdistill.teachers import speech
from recdistill.teachers.silence import SilentAtTimes
from recdistill.teachers.sparing import judges
from recdistill.training.options import RunOptions

RECORD = "teacher.json"
MODEL = "model"


class RecommenderBacked(ABC):
    """A teacher that speaks through a recommender; a subclass says how it comes by one.

    Attributes:
        config: what it was made from.
        notes: what fitting found out and the configuration does not say (a fallback taken, items
            without text, weights chosen); part of the identity.
        texts: a hash of the texts it reads; `None` if it reads none.
        home: the folder that it was fitted in or read from, where there is one.
    """

    Config: ClassVar[type[Settings]]

    def __init__(self, config: Any) -> None:
        self.config: Any = config
        self.notes: dict[str, Any] = {}
        self.texts: str | None = None
        self.home: Path | None = None
        self._recommender: Recommender | None = None

    @classmethod
    def of(cls, **config: Any) -> Self:
        """A teacher from its settings as keywords."""
        return cls(cls.Config(**config))

    @property
    def recommender(self) -> Recommender:
        """The recommender it speaks through.

        Raises:
            RecDistillError: it was not fitted.
        """
        if self._recommender is None:
            raise RecDistillError(
                f"The {self.config.kind} teacher knows nothing yet.", "Call fit(dataset) first."
            )
        return self._recommender

    @property
    @abstractmethod
    def name(self) -> str:
        """How people call it."""

    def fit(self, dataset: Dataset, run: RunOptions | None = None) -> Self:
        """Learn from the training events; interrupted, it goes on from `run.folder`."""
        run = run or RunOptions()
        self._recommender, self.home = self._fitted(dataset, run), run.folder
        return self

    @abstractmethod
    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        """The fitted recommender; sets `notes` and `texts`."""

    @property
    def says(self) -> frozenset[str]:
        """The names of the kinds of signal it can give."""
        return speech.sayable(self.recommender)

    @property
    def width(self) -> int:
        """Of its vectors; 0 if its scores are no products of vectors."""
        recommender = self.recommender
        return recommender.item_table().shape[1] if recommender.factorised else 0

    def identity(self) -> TeacherIdentity:
        """Who speaks."""
        return TeacherIdentity(
            kind=self.config.kind,
            name=self.name,
            revision=weights_hash(self.recommender),
            settings={"config": decisive(self.config), "notes": self.notes},
            texts=self.texts,
        )

    def speak(self, contexts: Contexts, kinds: Sequence[SignalKind]) -> dict[str, Columns]:
        """What it says about each context: the fields of each kind, by the kind's name."""
        return speech.speak(self.recommender, contexts.histories, kinds)

    def silences(self) -> dict[str, Counter[str]]:
        """About how many contexts a judge said nothing so far, so that its base speaks alone (see `TellsSilence`)."""
        told = [
            model.judge.silent
            for model in judges(self.recommender)
            if isinstance(model.judge, SilentAtTimes)
        ]
        return {kind: sum(told, Counter()) for kind in speech.LISTS}

    @torch.no_grad()
    def item_vectors(self) -> Float32[np.ndarray, "items width"]:
        """Its vector of each item of the catalogue.

        Raises:
            ConfigError: its scores are no products of vectors.
        """
        if "item-vectors" not in self.says:
            raise speech.unsayable("item-vectors", self.says)
        return self.recommender.item_table().float().cpu().numpy()

    def save(self, folder: Path | str) -> None:
        """Write what `load_teacher` reads: `teacher.json` and the recommender in `model/`."""
        folder = Path(folder)
        self.recommender.save(folder / MODEL)
        self.save_reading(folder)
        write_json(
            folder / RECORD,
            {
                "config": self.config.model_dump(mode="json"),
                "notes": self.notes,
                "texts": self.texts,
                "revision": weights_hash(self.recommender),
            },
        )

    def save_reading(self, folder: Path) -> None:  # noqa: B027
        """Write what it would need to read other items; nothing, for most."""

    def restore(self, model: Path, record: dict[str, Any]) -> Self:
        """Take over what `save` wrote; `load_teacher` calls it and checks the result."""
        self.home = model.parent
        return self.take(self._read_model(model), record["notes"], record["texts"])

    def take(self, recommender: Recommender, notes: dict[str, Any], texts: str | None) -> Self:
        """Speak through a recommender that was fitted elsewhere, with what was found out then."""
        self._recommender, self.notes, self.texts = recommender, notes, texts
        return self

    def _read_model(self, folder: Path) -> Recommender:
        return Recommender.load(folder)


def decisive(config: Settings) -> dict[str, Any]:
    """A configuration without what changes nothing of what its teacher says (how fast somebody is asked)."""
    return config.model_dump(mode="json", context={"decides": True})


def weights_hash(recommender: Recommender) -> str:
    """A hash (16 hex digits) of everything a recommender learned, by name."""
    digest = hashlib.sha256()
    for name, values in sorted(recommender.network.state_dict().items()):
        array = np.ascontiguousarray(values.detach().cpu().numpy())
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:16]
