"""From histories to the tokens that a language model reads before it is asked what comes next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.prompts import shown


class Said(Protocol):
    """A prompt as text: what the model is to be, and what it is asked."""

    @property
    def system(self) -> str:
        """The first; may be empty."""
        ...

    @property
    def user(self) -> str:
        """The second."""
        ...


class Wording(Protocol):
    """Who puts a history into words."""

    def render(self, history: Sequence[int], candidates: Sequence[int] = ()) -> Said:
        """The prompt about these dense items, oldest first."""
        ...


@dataclass(frozen=True)
class Prompting:
    """Attributes:
    decoder: who reads.
    wording: who puts histories into words.
    history: how many of the latest items are shown, at most.
    room: tokens that a prompt may take.
    """

    decoder: Decoder
    wording: Wording
    history: int
    room: int

    def tokens(self, histories: Sequences) -> list[list[int]]:
        """The prompt of each history, cut and `packed` (see `prompts.shown`); of one that takes more tokens than there
        is room for, the oldest items are left out.

        Raises:
            RecDistillError: there are other events in reach.
            ConfigError: a prompt is too long even with a single item.
        """
        return [self._fitting(history) for history in shown(histories, self.history)]

    def _fitting(self, history: list[int]) -> list[int]:
        while True:
            tokens = read(self.decoder, self.wording.render(history))
            if len(tokens) <= self.room:
                return tokens
            if len(history) <= 1:
                raise ConfigError(
                    f"A prompt about one item takes {len(tokens)} tokens; there is room for {self.room}.",
                    "Shorten the template or the items' texts, or take a model that reads more.",
                )
            # As many items as would fit if all were alike, and at least one less.
            fewer = min(len(history) * self.room // len(tokens), len(history) - 1)
            history = history[-max(fewer, 1) :]


def read(decoder: Decoder, said: Said) -> list[int]:
    """The tokens of a prompt, up to where the answer begins, at the start of a line.

    By the tokenizer's chat template where it has one; else as text that ends with a line break.
    """
    if getattr(decoder.tokenizer, "chat_template", None):
        return _conversation(decoder, said)
    text = "\n\n".join(part.strip() for part in (said.system, said.user) if part.strip()) + "\n"
    options = {"add_special_tokens": True, "split_special_tokens": True}
    tokens = list(decoder.tokenizer(text, **options)["input_ids"])
    # Some tokenizers close what they are given; this text goes on.
    return tokens[:-1] if tokens[-1] == decoder.tokenizer.eos_token_id else tokens


def _conversation(decoder: Decoder, said: Said) -> list[int]:
    from jinja2 import TemplateError

    system, user = (as_letters(text, decoder.special) for text in (said.system, said.user))
    messages = [{"role": "user", "content": user}]
    if not system.strip():
        return _templated(decoder, messages)
    try:
        return _templated(decoder, [{"role": "system", "content": system}, *messages])
    except TemplateError:  # Some models know no system role (Gemma's).
        return _templated(decoder, [{"role": "user", "content": f"{system}\n\n{user}"}])


def as_letters(text: str, special: Sequence[str]) -> str:
    """The text with a blank inside whatever a tokenizer would read as a `special` token, in any case of its letters:
    what a chat template puts around messages is structure, what stands in them never is."""
    for token in special:
        apart = re.compile(re.escape(token), re.IGNORECASE)
        while apart.search(text):
            text = apart.sub(
                lambda found: f"{found[0][:1]} {found[0][1:]}" if found[0][1:] else " ", text
            )
    return text


def _templated(decoder: Decoder, messages: Sequence[Mapping[str, str]]) -> list[int]:
    options: dict[str, Any] = {"add_generation_prompt": True, "enable_thinking": False}
    text = decoder.tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return decoder.tokens([text], special=True)[0]
