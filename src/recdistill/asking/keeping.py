"""From raw answers to read ones, and what they cost: first kept, then read, then booked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recdistill.asking.answers import Answer, read
from recdistill.asking.costs import Cost, Prices
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.ledger import Ledger, Raw


class Keeper:
    """Answers of one endpoint in the ledger."""

    def __init__(self, ledger: Ledger, endpoint: EndpointConfig) -> None:
        self.ledger, self._prices = ledger, endpoint.prices or Prices()

    def known(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The answers that are there, by key."""
        return self.read(self.ledger.answers(keys))

    def read(self, raws: Sequence[Raw]) -> dict[str, Answer]:
        """Look into answers that are kept, and book what they say they cost, if it is not booked yet."""
        answers = {raw.key: read(raw.key, raw.status, raw.body) for raw in raws}
        costs = [
            (raw.attempt, self._cost(raw.status, answers[raw.key]), answers[raw.key].usage)
            for raw in raws
            if not raw.parsed
        ]
        if costs:
            self.ledger.settle(costs)
        return answers

    def _cost(self, status: int, answer: Answer) -> Cost | None:
        """What the endpoint said it was; nothing for an error; None where it did not say."""
        if answer.usage is not None:
            return self._prices.of(answer.usage)
        return Cost(calls=1) if status >= 400 else None
