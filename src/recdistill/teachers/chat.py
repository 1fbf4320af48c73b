"""`chat`: any OpenAI-compatible chat model puts the candidates of a trained recommender in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import compress
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from recdistill.data.contexts import Contexts
from recdistill.data.dataset import Dataset
from recdistill.errors import DataError
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind, UserVectors
from recdistill.signals.shards import Columns
from recdistill.teachers.candidates import RerankingConfig, RerankingTeacher
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.endpoints import AskingConfig, account
from recdistill.teachers.judging import Judge
from recdistill.teachers.listwise import ChatJudge, Endpoint, ListwiseConfig
from recdistill.teachers.prompts import Template
from recdistill.teachers.reranked import Reranked
from recdistill.teachers.speech import unsayable
from recdistill.teachers.words import WordsConfig, vectors
from recdistill.training.options import RunOptions

_VECTORS = "user-vectors"


class ChatConfig(AskingConfig, RerankingConfig, ListwiseConfig):
    """Which chat model is asked, what it may cost, and what it is shown; beyond its budget, its base speaks alone."""

    kind: Literal["chat"] = "chat"
    words: WordsConfig | None = Field(default=None, exclude_if=lambda given: given is None)
    """What it says in words becomes `user-vectors`; it has none when not given."""

    @model_validator(mode="after")
    def _asked_why(self) -> Self:
        if self.words is not None and self.words.of == "rationale" and not self.rationale:
            raise ValueError("`words: {of: rationale}` needs `rationale: true`, or nobody says why")
        return self

    @property
    def besides(self) -> list[str]:
        """What the templates say."""
        named = [self.template, *([self.words.template] if self.words else ())]
        return [Template.read(name).identity for name in named]

    def asked_at(self, dataset: Dataset) -> Endpoint:
        """Who is asked, and at whose expense."""
        return Endpoint(self.endpoint, self.budget, self.ledger, account(self, dataset))

    @property
    def asking(self) -> ListwiseConfig:
        """What the judge needs of this."""
        return ListwiseConfig.model_validate(
            {name: getattr(self, name) for name in ListwiseConfig.model_fields}
        )


class ChatTeacher(RerankingTeacher):
    """A chat model whose word on each context is bought once."""

    Config: ClassVar[type[Settings]] = ChatConfig
    config: ChatConfig
    _wordless: int = 0

    @property
    def name(self) -> str:
        """The model's name at its endpoint."""
        return self.config.endpoint.model

    @property
    def says(self) -> frozenset[str]:
        """Lists, and where its words are read, vectors of contexts."""
        return super().says | ({_VECTORS} if self.config.words else frozenset[str]())

    @property
    def width(self) -> int:
        """Of the vectors of its words; 0 if nobody reads them."""
        return self._reader.width if self.config.words else 0

    @cached_property
    def _reader(self) -> TextEncoder:
        assert self.config.words is not None
        return self.config.words.encoder(RunOptions())

    def speak(self, contexts: Contexts, kinds: Sequence[SignalKind]) -> dict[str, Columns]:
        """What it says about each context; a context of which it says nothing in words has a vector of zeros."""
        others = [kind for kind in kinds if not isinstance(kind, UserVectors)]
        said = super().speak(contexts, others) if others else {}
        if len(others) < len(kinds):
            words, model = self.config.words, self.recommender
            if words is None:
                raise unsayable(_VECTORS, self.says)
            assert isinstance(model, Reranked)
            texts = words.texts(model, contexts.histories)
            told = contexts.histories.lengths > 0
            self._wordless += sum(not text for text in compress(texts, told.tolist()))
            said[_VECTORS] = {"vectors": vectors(self._reader, texts)}
        return said

    def silences(self) -> dict[str, Counter[str]]:
        """Of lists, its judge's silences; of vectors, the contexts of which nothing was said in words."""
        return {**super().silences(), _VECTORS: Counter(wordless=self._wordless)}

    def judge(self, dataset: Dataset, run: RunOptions | None = None) -> ChatJudge:
        """Who would judge, with the texts of this dataset.

        Raises:
            DataError: the items have no texts.
        """
        config = self.config
        texts = dataset.items.texts(config.text)
        if not any(texts):
            raise DataError(
                "No item has any text, so a chat model cannot tell what they are.",
                "Give a `text` template that names columns with text, or another teacher.",
            )
        return ChatJudge(
            config.asking, config.asked_at(dataset), texts, progress=run and run.progress
        )

    def _judge(self, dataset: Dataset, run: RunOptions) -> Judge:
        return self.judge(dataset, run)

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        self.texts = dataset.items.text_hash(self.config.text)
        self.config.endpoint.key()  # a missing key is told before anything is trained
        if self.config.words:
            self.notes["words"] = self._reader.revision
        reranked = super()._fitted(dataset, run)
        assert isinstance(reranked, Reranked)
        assert isinstance(reranked.judge, ChatJudge)
        tally = reranked.judge.tally
        self.notes["answers"] = tally.facts
        if tally.sentence:
            self.notes["remarks"] = [*self.notes.get("remarks", ()), tally.sentence]
            if run.progress:
                run.progress.say(tally.sentence)
        return reranked
