"""A chat model as a judge: what it is asked, what it answered, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float32, Float64, Int64

from recdistill.asking import Answer, Asker, BudgetConfig, EndpointConfig, Ledger, Plan, Request
from recdistill.asking.ledger import bill
from recdistill.data.sequences import Sequences
from recdistill.files import content_hash, read_json, write_json
from recdistill.progress import Progress
from recdistill.teachers.accounts import Account
from recdistill.teachers.listwise.certainty import certainty
from recdistill.teachers.listwise.orderings import orderings
from recdistill.teachers.listwise.questions import Form, ListwiseConfig, kept, probe
from recdistill.teachers.listwise.reading import Reply, read
from recdistill.teachers.listwise.tally import Tally
from recdistill.teachers.listwise.verdict import Ballot, Verdict, ranks, verdict
from recdistill.teachers.prompts import Prompt, Template, labels

_FILE = "chat.json"


@dataclass(frozen=True)
class Endpoint:
    """Who is asked, and at whose expense.

    Attributes:
        where: the endpoint.
        budget: what may be spent on this judge, in all.
        ledger: where answers are kept; by default in the user's cache folder.
    """

    where: EndpointConfig
    budget: BudgetConfig
    ledger: Path | None = None


class ChatJudge:
    """Puts candidates before a chat model, in several orders; what it makes of them is a judgement."""

    kind: ClassVar[str] = "chat"

    def __init__(
        self,
        config: ListwiseConfig,
        endpoint: Endpoint,
        texts: Sequence[str],
        template: Template | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`texts` are those of all items, by dense id; `template` is that of the settings unless given."""
        self.config, self.endpoint = config, endpoint
        self.history = config.history
        self.prompt = Prompt(template or Template.read(config.template), texts, config.fence)
        self.progress = progress
        self.tally = Tally()

    def judge(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> Float32[np.ndarray, "rows c"]:
        """See `Judge`: -confidence · log(mean rank); NaN where there was no answer of use."""
        found = [one.judgement for one in self.verdicts(histories, candidates)]
        return np.stack(found) if found else np.empty(candidates.shape, dtype=np.float32)

    def verdicts(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[Verdict]:
        """What the model says of each row: judgement, agreement, order bias, and why."""
        found: list[Verdict] = []
        for ballots in self._ballots(histories, candidates):
            said = [ballot for ballot in ballots if ballot is not None]
            found.append(verdict(said, self.config.orderings, candidates.shape[1]))
            self.tally.judged(found[-1])
        return found

    def in_orders(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[tuple[Float64[np.ndarray, "rows c"], Float64[np.ndarray, "rows c"]]]:
        """The answers to each order in which candidates are shown: how each candidate was judged (higher is better;
        NaN where the answer was of no use), and where it stood. It asks nothing that `judge` does not ask."""
        ballots = self._ballots(histories, candidates)
        nothing = np.full(candidates.shape[1], np.nan)
        found: list[tuple[Float64[np.ndarray, "rows c"], Float64[np.ndarray, "rows c"]]] = []
        for order in range(self.config.orderings if ballots else 0):
            said = [row[order] for row in ballots]
            judged = np.stack([nothing if one is None else -one.ranks for one in said])
            places = np.stack([nothing if one is None else one.shown.astype(float) for one in said])
            found.append((judged, places))
        return found

    def _ballots(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[list[Ballot | None]]:
        """Of each row, the answer to each order."""
        shown = self._shown(histories, candidates)
        answers = iter(self.ask(self._requests(histories, shown)))
        return [
            [self._ballot(next(answers), order, candidates[row]) for order in orders]
            for row, orders in enumerate(shown)
        ]

    def plan(self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]) -> Plan:
        """What `judge` would cost, without asking."""
        with Ledger(self.endpoint.ledger) as ledger:
            form: Form = "json-schema" if self.config.form == "auto" else self.config.form
            requests = self._requests(histories, self._shown(histories, candidates), form)
            return self._asker(ledger).plan(requests)

    def _shown(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[Int64[np.ndarray, "orders c"]]:
        """The orders in which each row's candidates are shown."""
        count = self.config.orderings
        return [orderings(histories[row], candidates[row], count) for row in range(len(histories))]

    def _requests(
        self,
        histories: Sequences,
        shown: Sequence[Int64[np.ndarray, "orders c"]],
        form: Form | None = None,
    ) -> list[Request]:
        held = form or (self._form if shown else "text")
        return [
            self._request(histories[row].tolist(), order.tolist(), held)
            for row, orders in enumerate(shown)
            for order in orders
        ]

    def _request(self, history: list[int], order: list[int], form: Form) -> Request:
        assert len(history) <= self.history, "no more than the context's latest items"
        prompt = self.prompt.render(history, order, rationale=self.config.rationale)
        return self.config.request(prompt, labels(len(order)), form)

    @cached_property
    def _form(self) -> Form:
        """What the endpoint is held to: a schema, if it kept to one in its answer to a short question."""
        if self.config.form != "auto":
            return self.config.form
        (answer,) = self.ask([probe()])
        return "json-schema" if answer and kept(answer) else "text"

    def ask(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Answers to any questions, at this judge's expense."""
        with Ledger(self.endpoint.ledger) as ledger:
            return self._asker(ledger).ask(requests, self.progress)

    def _asker(self, ledger: Ledger) -> Asker:
        return Asker(self.endpoint.where, ledger, self.endpoint.budget, account=self.identity())

    def _ballot(
        self,
        answer: Answer | None,
        order: Int64[np.ndarray, " c"],
        candidates: Int64[np.ndarray, " c"],
    ) -> Ballot | None:
        """An answer by candidate; `None` where it says nothing of them."""
        names = labels(len(order))
        reply = self._reply(answer, names, order)
        self.tally.note(answer, reply)
        if reply is None or answer is None:
            return None
        column = {item: place for place, item in enumerate(order.tolist())}
        places = np.array([column[item] for item in candidates.tolist()], dtype=np.int64)
        return Ballot(
            ranks(reply.ranking, len(order))[places],
            places,
            certainty(answer.logprobs, names, names[reply.ranking[0]]),
            reply.rationale,
        )

    def _reply(
        self, answer: Answer | None, names: Sequence[str], order: Int64[np.ndarray, " c"]
    ) -> Reply | None:
        if answer is None or answer.text is None:
            return None
        return read(answer.text, names, self.prompt.lines(order.tolist()))

    def account(self) -> Account:
        """What its answers cost so far, whichever run asked."""
        with Ledger(self.endpoint.ledger) as ledger:
            found = bill(ledger, self.identity())
        money = found.paid.money if self.endpoint.where.prices else None
        return Account(calls=found.answers, tokens=found.paid.tokens, money=money)

    def identity(self) -> str:
        """A hash of who is asked, what, and of which texts; not of how fast, at what price, or within which budget."""
        settings = self.config.model_dump(mode="json", exclude={"template", "text"})
        where = [self.endpoint.where.identity, self.endpoint.where.model]
        return content_hash(
            [*where, settings, self.prompt.identity, content_hash([*self.prompt.texts])]
        )

    def save(self, folder: Path) -> None:
        """Write settings, template and texts: all but the key, which stays in the environment."""
        write_json(folder / _FILE, self._record)

    @property
    def _record(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "endpoint": self.endpoint.where.model_dump(mode="json"),
            "budget": self.endpoint.budget.model_dump(mode="json"),
            "ledger": self.endpoint.ledger and str(self.endpoint.ledger),
            "template": {"name": self.prompt.template.name, "text": self.prompt.template.text},
            "texts": list(self.prompt.texts),
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it back; the user's own template file may be gone by now."""
        record = read_json(folder / _FILE)
        endpoint = Endpoint(
            EndpointConfig.model_validate(record["endpoint"]),
            BudgetConfig.model_validate(record["budget"]),
            record["ledger"] and Path(record["ledger"]),
        )
        template = Template(**record["template"])
        config = ListwiseConfig.model_validate({**record["config"], "template": "rerank"})
        config = config.model_copy(update={"template": record["config"]["template"]})
        return cls(config, endpoint, record["texts"], template)
