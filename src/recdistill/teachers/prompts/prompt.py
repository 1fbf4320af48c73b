"""What a language model is asked about a history: a template, and the texts of the items it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from recdistill.files import content_hash
from recdistill.settings import validated
from recdistill.teachers.prompts.fencing import FenceConfig, fenced
from recdistill.teachers.prompts.template import Rendered, Template

_USUAL = FenceConfig()


@dataclass(frozen=True)
class Shown:
    """An item in a prompt.

    Attributes:
        label: under which it is shown: the number of an item of the history, or the letters of a candidate.
        text: one line, harmless.
    """

    label: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """A template over the texts of a catalogue.

    Attributes:
        template: what is said.
        texts: of every item, by dense id; empty where nothing is known.
        fence: how these are kept apart from what is said.
    """

    template: Template
    texts: Sequence[str]
    fence: FenceConfig = _USUAL

    @property
    def identity(self) -> str:
        """A hash of the template and its settings; the texts have one of their own."""
        return content_hash([self.template.identity, self.fence.model_dump(mode="json")])

    def lines(self, items: Sequence[int]) -> list[str]:
        """How each item is shown."""
        return fenced([self.texts[item] for item in items], self.fence)[0]

    def render(
        self, history: Sequence[int], candidates: Sequence[int] = (), **facts: Any
    ) -> Rendered:
        """The prompt about one history; of what is not named here, it cannot hold anything.

        A template sees `history` and `candidates` (each item with its `label` and `text`), `fence` (with `open`,
        `close` and the `rule` to tell), and whatever else is given as `facts`.

        Args:
            history: dense ids, oldest first: what happened before the cut-off, and nothing later.
            candidates: dense ids, in the order in which they are shown.
            facts: further variables; nothing from outside, for they are not fenced.

        Raises:
            ConfigError: the template cannot be filled.
        """
        items = [*history, *candidates]
        lines, fence = fenced([self.texts[item] for item in items], self.fence)
        numbers = [str(place) for place in range(1, len(history) + 1)]
        names = [*numbers, *labels(len(candidates))]
        shown = [Shown(label, line) for label, line in zip(names, lines, strict=True)]
        return self.template.render(
            {
                "history": shown[: len(history)],
                "candidates": shown[len(history) :],
                "fence": fence,
                **facts,
            }
        )


def checked(name: str, **facts: Any) -> str:
    """The name of a template that can be read, compiled and filled; for validators of settings.

    Raises:
        ValueError: it cannot.
    """
    with validated():
        Prompt(Template.read(name), ["one", "two"]).render([0], [1, 0], **facts)
    return name


def labels(count: int) -> list[str]:
    """A, B, C …: short names of one length, each the name of one candidate; AA, AB … where one letter is too few."""
    letters, width = list(ascii_uppercase), 1
    while len(ascii_uppercase) ** width < count:
        letters, width = [first + more for first in letters for more in ascii_uppercase], width + 1
    return letters[:count]
