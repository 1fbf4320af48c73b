"""A language model that knows a catalogue: how items are called, and how it is asked what comes next."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, PositiveInt

from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError, ConfigError
from recdistill.files import content_hash, read_json, write_json
from recdistill.settings import Settings
from recdistill.teachers.decoding.batching import Appetite
from recdistill.teachers.decoding.branches import Branches, PlainBranches
from recdistill.teachers.decoding.probing import within_sight
from recdistill.teachers.decoding.prompting import Prompting
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.source import Source
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.decoding.trie import Trie
from recdistill.teachers.decoding.trust import require_trust
from recdistill.teachers.prompts import FenceConfig, Prompt, Template, checked

_RECORD = "voice.json"
_ADAPTER = "adapter"
_ELSEWHERE = {"model", "revision", "spread", "adapter", "adapter_revision"}
"""Settings that say where a model is and how it is laid out; what it is, its files tell."""
_READS = 4096
"""Tokens that a model may read whose settings do not say."""


class VoiceConfig(Settings):
    """How it is asked, and how it names items."""

    prompt: Annotated[str, AfterValidator(checked)] = "next-item"
    """A template that comes with the package, or a file. What it makes is continued by a title."""
    fence: FenceConfig = FenceConfig()
    """How titles in a prompt are kept apart from what it says."""
    history: PositiveInt = 20
    """How many of the latest items it is told of."""
    ending: Literal["auto", "line", "text"] = "auto"
    """What ends a title: the end of the `line`, or of the `text`, which is what models that converse were trained to
    say after an answer; `auto` takes that where the tokenizer has a chat template."""
    title_tokens: PositiveInt = 48
    """Longer titles are cut."""
    prompt_tokens: PositiveInt = 2048
    """Of a longer prompt the oldest items are left out; of one that is longer than the model reads, too."""
    batch_tokens: PositiveInt = 8192
    """Tokens of a forward pass, halved where memory runs out."""


@dataclass
class Voice:
    """Attributes:
    source: the language model.
    titles: of each item; empty for an item that it cannot name.
    config: how it is asked.
    template: of its prompts, as it was when the teacher was made.
    """

    source: Source
    titles: Sequence[str]
    config: VoiceConfig
    template: Template
    appetite: Appetite = field(init=False)

    def __post_init__(self) -> None:
        self.appetite = Appetite(self.config.batch_tokens)

    @cached_property
    def prompt(self) -> Prompt:
        """What histories are put into words by."""
        return Prompt(self.template, self.titles, self.config.fence)

    @cached_property
    def lines(self) -> list[list[int]]:
        """The tokens of each title, and of what says that it is over; empty for an item that it cannot name.

        Raises:
            ConfigError: no item has a title.
        """
        decoder, config = self.source.decoder, self.config
        conversing = bool(getattr(decoder.tokenizer, "chat_template", None))
        to_the_end = config.ending == "text" or (config.ending == "auto" and conversing)
        lines = spoken(decoder, self.titles, None if to_the_end else "\n", config.title_tokens)
        if not any(lines):
            raise ConfigError(
                "No item has a title, so a language model can name none.",
                "Give `title`, a template of the columns that items are called by, such as '{title}'.",
            )
        return lines

    @cached_property
    def trie(self) -> Trie:
        """All that it may name, as one tree."""
        return Trie.of(self.lines)

    @cached_property
    def prompting(self) -> Prompting:
        """What it reads before it is asked."""
        decoder, config = self.source.decoder, self.config
        room = (decoder.places or _READS) - config.title_tokens
        return Prompting(decoder, self.prompt, config.history, min(room, config.prompt_tokens))

    def prompts(self, histories: Sequences) -> list[list[int]]:
        """The tokens of the prompt of each history: of a copy of its latest items, with nothing later in reach."""
        return self.prompting.tokens(histories.tail(self.config.history).packed())

    def branches(self, prompts: Sequence[Sequence[int]]) -> Branches:
        """What may grow from prompts; nothing has yet."""
        decoder = self.source.decoder
        near = within_sight(decoder, prompts, self.config.title_tokens)
        return (self.source.branching if near else PlainBranches)(decoder, prompts)

    @cached_property
    def identity(self) -> str:
        """A hash of everything that decides what it says: weights, words, titles."""
        decided = self.config.model_dump(mode="json", exclude={"batch_tokens", "prompt"})
        model = self.source.config.model_dump(mode="json", exclude=_ELSEWHERE)
        return content_hash(
            [model, decided, self.source.revision, self.prompt.identity, *self.titles]
        )

    def save(self, folder: Path) -> None:
        """Write what it needs to speak again, but the model's own files; an adapter's are small."""
        source = self.source.config.model_copy(update={"adapter": None, "adapter_revision": None})
        if self.source.adapter is not None:
            shutil.copytree(self.source.adapter, folder / _ADAPTER, dirs_exist_ok=True)
        write_json(
            folder / _RECORD,
            {
                "model": source.model_dump(mode="json"),
                "revision": self.source.revision,
                "config": self.config.model_dump(mode="json"),
                "template": {"name": self.template.name, "text": self.template.text},
                "titles": list(self.titles),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote; the model is loaded when it is first asked.

        Raises:
            CheckpointError: it cannot be read, or the model's files are others than they were.
            ConfigError: the model runs code of its own, and the caller does not trust it (`trust.trusting`).
        """
        try:
            record = read_json(folder / _RECORD)
            named = SourceConfig.model_validate(record["model"])
            adapter = folder / _ADAPTER
            fitted = {"adapter": str(adapter)} if adapter.is_dir() else {}
            source = Source(named.model_copy(update=fitted))
            template, titles = Template(**record["template"]), record["titles"]
            # The template is taken as it was kept; its file need not be there any more.
            config = VoiceConfig.model_validate({**record["config"], "prompt": "next-item"})
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"The language model that {folder} names cannot be read: {error}.",
                "Fit the teacher again.",
            ) from error
        if named.trust_remote_code:
            require_trust(named.model)
        if source.revision != record["revision"]:
            raise CheckpointError(
                f"The files of the language model '{source.config.model}' are not those that the teacher was"
                " made with.",
                "Bring them back, pin a `revision`, or fit the teacher again.",
            )
        return cls(source, titles, config, template)
