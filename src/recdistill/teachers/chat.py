"""`chat`: any OpenAI-compatible chat model puts the candidates of a trained recommender in order."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from recdistill.asking import BudgetConfig
from recdistill.data.dataset import Dataset
from recdistill.errors import DataError
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.candidates import RerankingConfig, RerankingTeacher
from recdistill.teachers.endpoints import AnyEndpoint
from recdistill.teachers.judging import Judge
from recdistill.teachers.listwise import ChatJudge, Endpoint, ListwiseConfig
from recdistill.teachers.prompts import Template
from recdistill.teachers.reranked import Reranked
from recdistill.training.options import RunOptions


class ChatConfig(RerankingConfig, ListwiseConfig):
    """Which chat model is asked, what it may cost, and what it is shown."""

    kind: Literal["chat"] = "chat"
    endpoint: AnyEndpoint
    """Where it is, its prices and limits."""
    budget: BudgetConfig = BudgetConfig()
    """What may be spent on this teacher in all; beyond it, its base speaks alone."""
    ledger: Path | None = Field(default=None, exclude_if=lambda given: given is None)
    """The file of answers, so that none is paid twice; by default one in the user's cache that all runs share."""

    @property
    def besides(self) -> list[str]:
        """What the template says."""
        return [Template.read(self.template).identity]

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

    @property
    def name(self) -> str:
        """The model's name at its endpoint."""
        return self.config.endpoint.model

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
        endpoint = Endpoint(config.endpoint, config.budget, config.ledger)
        return ChatJudge(config.asking, endpoint, texts, progress=run and run.progress)

    def _judge(self, dataset: Dataset, run: RunOptions) -> Judge:
        return self.judge(dataset, run)

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        self.texts = dataset.items.text_hash(self.config.text)
        self.config.endpoint.key()  # a missing key is told before anything is trained
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
