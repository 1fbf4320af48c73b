"""A language model that is known before it is loaded: who asks who it is need not wait for its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from recdistill.files import content_hash
from recdistill.language import hub
from recdistill.teachers.adapting import adapters
from recdistill.teachers.decoding.branches import PlainBranches, SharedBranches
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.probing import branching
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.weights import files_hash
from recdistill.training.hardware import choose_device


@dataclass
class Source:
    """Attributes:
    config: which model.
    device: where it computes; a GPU where there is one when `None`.
    say: is told where its files came from.
    """

    config: SourceConfig
    device: str | None = None
    say: Callable[[str], None] = field(default=lambda _: None, repr=False)

    @cached_property
    def folder(self) -> Path:
        """Where its files are.

        Raises:
            SourceUnavailableError: they are not here, and the hub cannot be reached.
        """
        config = self.config
        located = hub.locate(
            config.model,
            config.revision,
            self.say,
            what="language model",
            code=config.trust_remote_code,
        )
        return located.folder

    @cached_property
    def revision(self) -> str:
        """A hash of its files, its adapter's included."""
        files = files_hash(self.folder)
        return content_hash([files, adapters.revision(self.adapter)]) if self.adapter else files

    @cached_property
    def adapter(self) -> Path | None:
        """Where the files of its adapter are.

        Raises:
            ConfigError: they are no adapter.
        """
        if self.config.adapter is None:
            return None
        named, revision = self.config.adapter, self.config.adapter_revision
        folder = hub.locate(named, revision, self.say, what="adapter").folder
        adapters.require(folder)
        return folder

    @property
    def commit(self) -> str | None:
        """The commit on the hub that its files are of; `None` for a folder of one's own."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    @cached_property
    def decoder(self) -> Decoder:
        """The model, loaded when it is first asked for."""
        device = choose_device(self.device)
        return Decoder.load(self.folder, self.config, device, self.adapter)

    @cached_property
    def branching(self) -> type[SharedBranches] | type[PlainBranches]:
        """How it reads many ways on from one prompt."""
        return branching(self.decoder)

    @property
    def shares(self) -> bool:
        """Whether that is the quick way."""
        return self.branching is SharedBranches
