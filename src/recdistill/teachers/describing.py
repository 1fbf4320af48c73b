"""Descriptions of items that a chat model writes, for a text encoder to read beside their own texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import PositiveInt, field_validator

from recdistill.asking import Answer, Asker, Ledger, Plan, Request
from recdistill.data.dataset import Dataset
from recdistill.progress import Progress
from recdistill.teachers.endpoints import AskingConfig, account, request
from recdistill.teachers.prompts import FenceConfig, Prompt, Template, checked
from recdistill.teachers.unanswered import Unanswered


@dataclass(frozen=True)
class Described:
    """Attributes:
    texts: of every item: its own, and what was written of it.
    written: of how many different texts there was a description.
    missing: of how many there was none (refused, failed, over budget).
    """

    texts: list[str]
    written: int
    missing: int


class DescribingConfig(AskingConfig):
    """Which chat model describes the items, from what it knows of the world (KAR: Xi et al. 2023). Each different text
    is asked about once, and paid for once; items beyond the budget keep their own text alone."""

    template: str = "describe"
    """The prompt: `describe`, or a file of your own (Jinja; blocks `system` and `user`)."""
    fence: FenceConfig = FenceConfig()
    """How the item's text is kept apart from what the prompt says."""
    max_tokens: PositiveInt = 120
    """Longest description."""
    max_characters: PositiveInt = 600
    """A longer one is cut."""

    @field_validator("template")
    @classmethod
    def _can_be_filled(cls, name: str) -> str:
        return checked(name)

    @property
    def besides(self) -> list[str]:
        """What the template says."""
        return [Template.read(self.template).identity]

    def described(
        self, texts: Sequence[str], payer: str, progress: Progress | None = None
    ) -> Described:
        """Each text with what the chat model writes of it behind; an empty one stays empty.

        Args:
            texts: of the items.
            payer: whose spending the budget bounds (see `payer`).
            progress: who watches.

        Raises:
            ConfigError: no key in the environment.
            EndpointError: the endpoint turns everything away.
            UnansweredError: some questions have no answer for reasons that may pass.
        """
        distinct = [*dict.fromkeys(text for text in texts if text)]
        with Ledger(self.ledger) as ledger:
            answers = self._asker(ledger, payer).ask(self._requests(distinct), progress)
        missing = Unanswered(self.endpoint)
        missing.note(answers)
        missing.check()
        found = {
            text: written
            for text, answer in zip(distinct, answers, strict=True)
            if (written := self._read(answer))
        }
        whole = [f"{text}. {found[text]}" if text in found else text for text in texts]
        return Described(whole, len(found), len(distinct) - len(found))

    def payer(self, dataset: Dataset) -> str:
        """Whose spending the budget bounds: whoever describes this catalogue with these settings."""
        return account(self, dataset)

    def plan(self, texts: Sequence[str], payer: str) -> Plan:
        """What `described` would cost, without asking."""
        with Ledger(self.ledger) as ledger:
            return self._asker(ledger, payer).plan(
                self._requests([*dict.fromkeys(filter(None, texts))])
            )

    def _asker(self, ledger: Ledger, payer: str) -> Asker:
        return Asker(self.endpoint, ledger, self.budget, account=payer)

    def _requests(self, texts: Sequence[str]) -> list[Request]:
        prompt = Prompt(Template.read(self.template), texts, self.fence)
        options = {"temperature": 0, "max_tokens": self.max_tokens}
        rendered = [prompt.render([], [item]) for item in range(len(texts))]
        return [request(one, options) for one in rendered]

    def _read(self, answer: Answer | None) -> str:
        """One line of what was written; nothing where nothing was."""
        return " ".join(((answer and answer.text) or "").split())[: self.max_characters]
