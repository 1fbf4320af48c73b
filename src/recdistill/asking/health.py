"""When to stop asking: an endpoint that gives nothing but errors is not worth the rest of the questions."""

from __future__ import annotations

from recdistill.asking.endpoint import EndpointConfig
from recdistill.errors import EndpointError
from recdistill.texts import line

IN_A_ROW = 16
"""Questions without one good answer between them, after which we stop."""
PATIENCE = 300.0
"""Seconds that we let an endpoint send us away for; who says more is asked another day."""
_SHOWN = 500
"""Characters of what an endpoint says of a batch."""

_KEPT = "What was answered before is kept: start again, and only the rest is asked."
_CREDIT = "The account there has no credit left."
_HINTS = {
    400: "Are the key in the variable named by api_key_env, base_url and model right?",
    401: "Is the key in the variable named by api_key_env right?",
    402: _CREDIT,
    403: "May this key use this model?",
    404: "Are base_url (what comes before /chat/completions) and model right?",
    429: _CREDIT,
}


class Health:
    """Watches how questions end at one endpoint."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self._endpoint = endpoint
        self._bad = 0

    def watch(self, error: str | None) -> None:
        """A question ended, well (None) or with an error.

        Raises:
            EndpointError: it is one error too many.
        """
        self._bad = self._bad + 1 if error else 0
        if self._bad == IN_A_ROW:
            raise EndpointError(
                f"{self._endpoint.title} gave no good answer to {self._bad} questions in a row; the last: {error}.",
                _KEPT,
            )


def refused(endpoint: EndpointConfig, status: int, complaint: str | None) -> EndpointError:
    """An answer that is about every question."""
    hint = _HINTS.get(status, "Is base_url right?")
    return EndpointError(f"{endpoint.title} turns requests away: {complaint}.", f"{hint} {_KEPT}")


def sent_away(endpoint: EndpointConfig, seconds: float) -> EndpointError:
    """A `Retry-After` beyond our patience."""
    return EndpointError(f"{endpoint.title} wants no requests for {seconds:,.0f} s.", _KEPT)


def unreachable(endpoint: EndpointConfig, trouble: str) -> EndpointError:
    """No answer where one is needed to go on."""
    return EndpointError(
        f"{endpoint.title} does not answer: {trouble}.",
        "Start again later; what was sent is found again.",
    )


def senseless(endpoint: EndpointConfig, what: str) -> EndpointError:
    """An answer by which one cannot go on."""
    return EndpointError(
        f"{endpoint.title} gave an answer that makes no sense: {what}.",
        "Is base_url right, and does it know batches? What was sent is found again.",
    )


def failed_batch(why: str) -> EndpointError:
    """A batch that the endpoint took and then would not work on; it is not charged."""
    return EndpointError(f"The endpoint would not work on a batch: {line(why)[:_SHOWN]}.", _KEPT)
