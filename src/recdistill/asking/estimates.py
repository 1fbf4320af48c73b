"""What a request will probably use, for the pace and for plans; budgets go by the worst case instead."""

from __future__ import annotations

from collections.abc import Sequence

from recdistill.asking.costs import Cost, Prices, Usage
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.ledger import Ledger, habits
from recdistill.asking.requests import Question

_BYTES_A_TOKEN = 4.0
"""Of English, by common tokenizers."""
_REPLY = 256
"""Tokens of an answer that nothing bounds."""


def likely(
    question: Question, bytes_a_token: float = _BYTES_A_TOKEN, reply: float | None = None
) -> Cost:
    """The cost of one call: a prompt of average words, and the longest answer unless `reply` says how long they are."""
    prompt = round(len(question.body.encode()) / bytes_a_token)
    bound = question.longest_reply or _REPLY
    expected = bound if reply is None else min(bound, round(reply))
    return (question.endpoint.prices or Prices()).of(Usage(prompt, expected))


def forecast(
    ledger: Ledger, endpoint: EndpointConfig, questions: Sequence[Question]
) -> tuple[Cost, float | None]:
    """What `questions` will probably cost and how many seconds they take, by what this model's last answers did."""
    usual = habits(ledger, endpoint)
    costs = [
        likely(question, usual.bytes_a_token or _BYTES_A_TOKEN, usual.reply)
        for question in questions
    ]
    cost = sum(costs, Cost())
    bounds = [
        usual.seconds and usual.seconds * len(questions) / endpoint.concurrency,
        endpoint.requests_per_minute and 60 * len(questions) / endpoint.requests_per_minute,
        endpoint.tokens_per_minute and 60 * cost.tokens / endpoint.tokens_per_minute,
    ]
    return cost, max((bound for bound in bounds if bound is not None), default=None)
