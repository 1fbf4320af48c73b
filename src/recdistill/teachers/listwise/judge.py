"""A chat model as a judge: what it is asked, what it answered, and what that comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt64

from recdistill.asking import Answer, Asker, BudgetConfig, EndpointConfig, Ledger, Plan, Request
from recdistill.asking.ledger import bill
from recdistill.data.reasons import Place, Reasons, context_keys
from recdistill.data.sequences import Sequences
from recdistill.files import content_hash, read_json, write_json
from recdistill.progress import Progress
from recdistill.teachers.accounts import Account
from recdistill.teachers.judging import Proposed
from recdistill.teachers.listwise.certainty import certainty
from recdistill.teachers.listwise.orderings import orderings
from recdistill.teachers.listwise.questions import Form, ListwiseConfig, kept, probe
from recdistill.teachers.listwise.reading import Understood, understood
from recdistill.teachers.listwise.tally import Heard, Tally, lost
from recdistill.teachers.listwise.verdict import Ballot, Verdict, ranks, verdict
from recdistill.teachers.prompts import Prompt, Template, labels, shown
from recdistill.teachers.unanswered import Unanswered

_FILE = "chat.json"
_AT_ONCE = 256
"""So many answers are looked at together, or 16 for each request under way: probabilities of tokens are large."""


@dataclass(frozen=True)
class Endpoint:
    """Who is asked, and at whose expense.

    Attributes:
        where: the endpoint.
        budget: what may be spent on this judge, in all.
        ledger: where answers are kept; by default in the user's cache folder.
        account: whose spending the budget bounds; by default that of judges of this very identity.
    """

    where: EndpointConfig
    budget: BudgetConfig
    ledger: Path | None = None
    account: str | None = None


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
        found: list[Float32[np.ndarray, " c"]] = []
        for heard in self._heard(histories, candidates):
            said = self._verdict(heard, candidates.shape[1])
            self.tally.note(heard, said)
            found.append(said.judgement)
        return np.stack(found) if found else np.empty(candidates.shape, dtype=np.float32)

    def verdicts(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[Verdict]:
        """What the model says of each row: judgement, agreement, order bias, and why; for who reads what `judge`
        heard, so that nothing is counted twice."""
        heard = self._heard(histories, candidates)
        return [self._verdict(row, candidates.shape[1]) for row in heard]

    def _verdict(self, heard: Sequence[Heard], count: int) -> Verdict:
        said = [one.said for one in heard if isinstance(one.said, Ballot)]
        return verdict(said, self.config.orderings, count)

    @property
    def silent(self) -> Counter[str]:
        """About how many histories it said nothing since it was made, by reason."""
        return self.tally.silent.copy()

    def in_orders(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[tuple[Float64[np.ndarray, "rows c"], Float64[np.ndarray, "rows c"]]]:
        """The answers to each order in which candidates are shown: how each candidate was judged (higher is better;
        NaN where the answer was of no use), and where it stood. It asks nothing that `judge` does not ask."""
        heard = self._heard(histories, candidates)
        nothing = np.full(candidates.shape[1], np.nan)
        found: list[tuple[Float64[np.ndarray, "rows c"], Float64[np.ndarray, "rows c"]]] = []
        for order in range(self.config.orderings if heard else 0):
            answers = (row[order].said for row in heard)
            said = [one if isinstance(one, Ballot) else None for one in answers]
            judged = np.stack([-one.ranks if one else nothing for one in said])
            places = np.stack([one.shown.astype(float) if one else nothing for one in said])
            found.append((judged, places))
        return found

    def why(
        self, histories: Sequences, proposed: Proposed, item_keys: UInt64[np.ndarray, " items"]
    ) -> Reasons:
        """Why it put first what it put first, where it gave a reason."""
        if not self.config.rationale:
            return Reasons({})
        quiet, rows = self.remembering(), np.arange(len(histories), dtype=np.int64)
        parts = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
        return Reasons.of(
            pair
            for part in parts
            for pair in quiet.firsts(histories.take(part), proposed(part), item_keys)
        )

    def firsts(
        self,
        histories: Sequences,
        candidates: Int64[np.ndarray, "rows c"],
        item_keys: UInt64[np.ndarray, " items"],
    ) -> Iterator[tuple[Place, str]]:
        """What it puts first, and why, where it gives a reason."""
        keys = context_keys(histories, self.history, item_keys)
        verdicts = self.verdicts(histories.tail(self.history).packed(), candidates)
        for key, row, one in zip(keys, candidates.tolist(), verdicts, strict=True):
            if one.reason and one.best is not None:
                yield Place(key, self.history, row[one.best]), one.reason

    def remembering(self) -> ChatJudge:
        """One that knows the answers of the ledger, asks nobody, and counts nothing here."""
        return _Remembering(self.config, self.endpoint, self.prompt.texts, self.prompt.template)

    def _heard(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[list[Heard]]:
        """Of each row, the answer to each order."""
        given = self._given(histories, candidates)
        asked = [(row, order) for row, orders in enumerate(given) for order in orders]
        heard: list[list[Heard]] = [[] for _ in given]
        answers = self.answers(self._requests(histories, given))
        for (row, order), answer in zip(asked, answers, strict=True):
            heard[row].append(self._read(answer, order, candidates[row]))
        return heard

    def plan(self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]) -> Plan:
        """What `judge` would cost, without asking."""
        with Ledger(self.endpoint.ledger) as ledger:
            form: Form = "json-schema" if self.config.form == "auto" else self.config.form
            requests = self._requests(histories, self._given(histories, candidates), form)
            return self._asker(ledger).plan(requests)

    def _given(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> list[Int64[np.ndarray, "orders c"]]:
        """The orders in which each row's candidates are shown."""
        count = self.config.orderings
        return [orderings(histories[row], candidates[row], count) for row in range(len(histories))]

    def _requests(
        self,
        histories: Sequences,
        given: Sequence[Int64[np.ndarray, "orders c"]],
        form: Form | None = None,
    ) -> list[Request]:
        held = form or (self._form if given else "text")
        return [
            self._request(history, order.tolist(), held)
            for history, orders in zip(shown(histories, self.history), given, strict=True)
            for order in orders
        ]

    def _request(self, history: list[int], order: list[int], form: Form) -> Request:
        prompt = self.prompt.render(history, order, rationale=self.config.rationale)
        return self.config.request(prompt, labels(len(order)), form)

    @cached_property
    def _form(self) -> Form:
        """What the endpoint is held to: a schema, if it kept to one in its answer to a short question."""
        if self.config.form != "auto":
            return self.config.form
        (answer,) = self.answers([probe()])
        return "json-schema" if answer and kept(answer) else "text"

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer | None]:
        """Answers to any questions, at this judge's expense; so many at a time that memory holds them.

        Raises:
            ConfigError: it would have to ask an endpoint that no configuration of the caller's names.
            UnansweredError: behind the last answer, where some are missing for reasons that may pass.
        """
        missing = Unanswered(self.endpoint.where)
        with Ledger(self.endpoint.ledger) as ledger:
            asker = self._asker(ledger)
            for start in range(0, len(requests), self._at_once):
                yield from self._part(asker, requests[start : start + self._at_once], missing)
        missing.check()

    def _part(
        self, asker: Asker, requests: Sequence[Request], missing: Unanswered
    ) -> Iterator[Answer | None]:
        """One part of the answers, which goes before the next is asked for."""
        found = asker.ask(requests, self.progress)
        missing.note(found)
        yield from found

    @property
    def _at_once(self) -> int:
        """As many as keep the endpoint busy: a batch, or 16 questions for each that is under way."""
        where = self.endpoint.where
        return where.batch.size if where.batch else max(_AT_ONCE, 16 * where.concurrency)

    def _asker(self, ledger: Ledger) -> Asker:
        return Asker(self.endpoint.where, ledger, self.endpoint.budget, account=self.payer)

    @property
    def payer(self) -> str:
        """Whose spending the budget bounds."""
        return self.endpoint.account or self.identity()

    def _read(
        self,
        answer: Answer | None,
        order: Int64[np.ndarray, " c"],
        candidates: Int64[np.ndarray, " c"],
    ) -> Heard:
        """An answer to one order, by candidate."""
        if answer is None or answer.text is None:
            return Heard(lost(answer), Understood(None))
        names = labels(len(order))
        found = understood(answer.text, names, self.prompt.lines(order.tolist()))
        if (reply := found.reply) is None:
            return Heard(lost(answer), found)
        column = {item: place for place, item in enumerate(order.tolist())}
        places = np.array([column[item] for item in candidates.tolist()], dtype=np.int64)
        sure = certainty(answer.logprobs, names, names[reply.ranking[0]])
        ballot = Ballot(ranks(reply.ranking, len(order))[places], places, sure, reply.rationale)
        return Heard(ballot, found)

    def account(self) -> Account:
        """What its answers cost so far, whichever run asked; and what those that were read here named."""
        with Ledger(self.endpoint.ledger) as ledger:
            found = bill(ledger, self.payer)
        money = found.paid.money if self.endpoint.where.prices else None
        named, shown = (self.tally.named, self.tally.shown) if self.tally.named else (None, None)
        return Account(found.answers, found.paid.tokens, money, named=named, in_catalogue=shown)

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
            "account": self.payer,
            "template": {"name": self.prompt.template.name, "text": self.prompt.template.text},
            "texts": list(self.prompt.texts),
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it back; the user's own template file may be gone by now. It asks nobody before it is given an endpoint
        that its caller names (`load_teacher` does)."""
        record = read_json(folder / _FILE)
        where = EndpointConfig.model_validate(record["endpoint"])
        where.disown()
        endpoint = Endpoint(
            where,
            BudgetConfig.model_validate(record["budget"]),
            record["ledger"] and Path(record["ledger"]),
            record["account"],
        )
        template = Template(**record["template"])
        config = ListwiseConfig.model_validate({**record["config"], "template": "rerank"})
        config = config.model_copy(update={"template": record["config"]["template"]})
        return cls(config, endpoint, record["texts"], template)


class _Remembering(ChatJudge):
    """The same judge, of whom nothing new is to be had."""

    def answers(self, requests: Sequence[Request]) -> Iterator[Answer | None]:
        """What was answered before."""
        with Ledger(self.endpoint.ledger) as ledger:
            asker = self._asker(ledger)
            for start in range(0, len(requests), _AT_ONCE):
                yield from asker.known(requests[start : start + _AT_ONCE])
