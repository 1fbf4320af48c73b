"""What a chat model says in words about a history, as vectors: rationales and profiles, read by a text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import PositiveInt, field_validator

from recdistill.asking import Asker, Ledger, Plan, Request
from recdistill.data.sequences import Sequences
from recdistill.settings import Settings
from recdistill.teachers.encoder import Pooling, TextEncoder
from recdistill.teachers.endpoints import request
from recdistill.teachers.features import TextSource
from recdistill.teachers.listwise import ChatJudge
from recdistill.teachers.prompts import Prompt, Template, checked, shown
from recdistill.teachers.reranked import Reranked
from recdistill.training.options import RunOptions

_AT_ONCE = 64


class WordsConfig(Settings):
    """Which words become `user-vectors` of a chat teacher, and who reads them."""

    of: Literal["rationale", "profile"] = "rationale"
    """Why it ordered the candidates as it did, which costs no call more but must be asked for (`rationale: true`);
    or what the person likes, in two sentences, a call for each context."""
    template: str = "profile"
    """The prompt of profiles: `profile`, or a file of your own (Jinja; blocks `system` and `user`)."""
    max_tokens: PositiveInt = 160
    """Longest profile."""
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """The text encoder: an id on the Hugging Face hub, or a folder."""
    revision: str | None = None
    """A branch, tag or commit on the hub."""
    pooling: Pooling = "mean"
    """How token vectors become one: their mean, the first (`cls`) or the last."""

    @field_validator("template")
    @classmethod
    def _can_be_filled(cls, name: str) -> str:
        return checked(name)

    def encoder(self, run: RunOptions) -> TextEncoder:
        """Who reads."""
        source = TextSource(model=self.model, revision=self.revision, pooling=self.pooling)
        return source.encoder(run)[0]

    def texts(self, model: Reranked, histories: Sequences) -> list[str]:
        """What is said of each history; nothing of an empty one, or where nothing was said."""
        assert isinstance(model.judge, ChatJudge)
        rows = np.flatnonzero(histories.lengths > 0)
        some = model.trimmed(histories.take(rows))
        latest = some.tail(model.judge.history).packed()
        if self.of == "profile":
            found = self._profiles(model.judge, latest)
        else:
            verdicts = model.judge.verdicts(latest, model.proposed(some).cpu().numpy())
            found = [verdict.rationale or "" for verdict in verdicts]
        texts = [""] * len(histories)
        for row, text in zip(rows.tolist(), found, strict=True):
            texts[row] = text
        return texts

    def plan(self, judge: ChatJudge, histories: Sequences) -> Plan:
        """What profiles of `histories` would cost (cut as `texts` cuts them), without asking."""
        with Ledger(judge.endpoint.ledger) as ledger:
            asker = Asker(judge.endpoint.where, ledger, judge.endpoint.budget, judge.payer)
            return asker.plan(self._requests(judge, histories))

    def _profiles(self, judge: ChatJudge, histories: Sequences) -> list[str]:
        answers = judge.answers(self._requests(judge, histories))
        return [" ".join(((answer and answer.text) or "").split()) for answer in answers]

    def _requests(self, judge: ChatJudge, histories: Sequences) -> list[Request]:
        prompt = Prompt(Template.read(self.template), judge.prompt.texts, judge.config.fence)
        options = {"temperature": 0, "max_tokens": self.max_tokens}
        rendered = [prompt.render(history) for history in shown(histories, judge.history)]
        return [request(one, options) for one in rendered]


def vectors(encoder: TextEncoder, texts: Sequence[str]) -> Float32[np.ndarray, "texts width"]:
    """One vector a text, each different text read once; zeros for an empty one."""
    distinct = sorted({text for text in texts if text}, key=lambda text: (len(text), text))
    rows = {text: row for row, text in enumerate(distinct, start=1)}
    starts = range(0, len(distinct), _AT_ONCE)
    parts = [encoder.encode(distinct[start : start + _AT_ONCE]) for start in starts]
    nothing = np.zeros((1, encoder.width), dtype=np.float32)
    return np.concatenate([nothing, *parts])[[rows.get(text, 0) for text in texts]]
