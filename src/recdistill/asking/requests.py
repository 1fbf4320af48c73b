"""What is asked. Two requests are the same question if the same model would be sent the same bytes, but for what a
schema says (see `keys`).

What only changes how an answer is got (API keys, time limits, prices, the pace, batches) is not in the key, nor is who
asks, so that equal questions are shared between runs. Text is not normalised: a model may answer another spelling
differently. For a second opinion on one question, ask it with another `seed`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from recdistill.asking.canonical import JSON, canonical
from recdistill.asking.costs import Cost, Prices, Usage
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.keys import key_of
from recdistill.errors import ConfigError

OURS = ("model", "messages", "stream", "n", "best_of")
"""What the body says by itself: one answer a request, in one piece."""
TOOLS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "web_search_options",
    "mcp_servers",
)
"""What would let a model act. Texts of items are written by strangers: who cannot act cannot be talked into acting."""
REPLY_BOUNDS = ("max_completion_tokens", "max_tokens")

_ADDED = 256
"""Tokens that a server's chat template may add to a prompt by itself."""
_LONGEST = 16_384
"""What an answer is taken to cost at most where nothing bounds it; under a budget such a request is refused."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """A conversation to be continued, and how: `temperature`, `max_tokens`, `seed`, `response_format`, `logprobs`, …"""

    messages: tuple[Message, ...]
    options: Mapping[str, JSON] = field(default_factory=dict)

    def key(self, endpoint: EndpointConfig) -> str:
        """What this request is known by where `endpoint` answers it (hex)."""
        return Question(self, endpoint).key


@dataclass(frozen=True)
class Question:
    """A request as one endpoint gets it: its bytes, its key and its worst case."""

    request: Request
    endpoint: EndpointConfig

    @cached_property
    def body(self) -> str:
        """Exactly what is sent: canonical JSON.

        Raises:
            ConfigError: an option that no request may have, or something that JSON cannot say.
        """
        options = self.request.options
        require_sendable(options)
        turns = [{"role": turn.role, "content": turn.content} for turn in self.request.messages]
        return canonical({"model": self.endpoint.model, "messages": turns, **options})

    @cached_property
    def key(self) -> str:
        """The SHA-256 of who is asked, and what."""
        return key_of(self.endpoint.identity, self.body)

    @property
    def longest_reply(self) -> int | None:
        """How many tokens the answer may have, where the request says it.

        Raises:
            ConfigError: it says something else than a number of tokens.
        """
        return _longest_reply(self.request.options)

    @property
    def worst(self) -> Cost:
        """What one call can cost at most.

        A token stands for at least one byte of what a tokenizer reads, and the longest it may read is the text with
        all characters decomposed (NFKD); so bytes bound tokens, whatever the tokenizer.
        """
        read = unicodedata.normalize("NFKD", self.body)
        prompt = max(len(read.encode()), len(self.body.encode())) + _ADDED
        reply = self.longest_reply
        return (self.endpoint.prices or Prices()).of(
            Usage(prompt, _LONGEST if reply is None else reply)
        )


def require_sendable(options: Mapping[str, JSON]) -> None:
    """Refuse options that no request may have; also while a configuration is read that holds them.

    Raises:
        ConfigError: they say what the body says by itself, let a model act, bound an answer by something else than a
            number of tokens, or hold what JSON cannot say.
    """
    if taken := sorted(options.keys() & {*OURS}):
        raise ConfigError(
            f"A request cannot set {', '.join(taken)}.",
            "Model and messages are given beside the options; each request gets one answer, in one piece.",
        )
    if acting := sorted(options.keys() & {*TOOLS}):
        raise ConfigError(
            f"A request cannot set {', '.join(acting)}.",
            "A teacher answers and does nothing else: texts of items could talk a model with tools into using them.",
        )
    _longest_reply(options)
    canonical(options)


def _longest_reply(options: Mapping[str, JSON]) -> int | None:
    given = (options.get(name) for name in REPLY_BOUNDS)
    # Which of two bounds an endpoint keeps to is its own affair.
    return max((_bound(one) for one in given if one is not None), default=None)


def _bound(given: JSON) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ConfigError(
            f"An answer cannot have {given!r} tokens at most.", "Give max_tokens as 1 or more."
        )
    return given
