"""All that a process has to know to answer, as data: what the command line said, whoever does the answering."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from recdistill.bundle.signing import Trusted, read_trusted
from recdistill.errors import MissingExtraError
from recdistill.serving.app import Application
from recdistill.serving.beside import Beside
from recdistill.serving.configuration import ServerConfig
from recdistill.serving.histories.opening import open_stock, open_store
from recdistill.serving.keys import ApiKey, KeyRing
from recdistill.serving.recording import Recording
from recdistill.serving.rules import NO_RULES, read_rules
from recdistill.serving.shelf import Shelf
from recdistill.serving.teacher import StoredTeacher
from recdistill.serving.tokens.configuration import read_tokens
from recdistill.settings import Settings

if TYPE_CHECKING:
    from recdistill.serving.tokens.verifying import Tokens


class Assignment(Settings):
    """What to answer from, for whom, and what to keep."""

    bundle: Path
    """A bundle, or a folder of bundles with a pointer."""
    config: ServerConfig
    keys: tuple[ApiKey, ...] = ()
    """Keys of this session, beside those of the file."""
    histories: str | None = None
    """See `open_store`."""
    pseudonym_key: Path | None = None
    items: str | None = None
    """See `open_stock`."""
    rules: Path | None = None
    """A file of rules; see `read_rules`."""
    trust: Path | None = None
    """A file of public keys; see `signing.read_trusted`."""
    recording: Path | None = None
    """Where a sample of requests is kept; none is without it."""
    teacher: Path | None = None
    """A run whose teacher's lists are shown; see `StoredTeacher`."""
    playground: bool = True
    """Whether there is a page to look at lists."""
    secret: str = Field(default_factory=lambda: secrets.token_hex(32), repr=False)
    """Keys the names that bearers of tokens have in the journal: one for all processes of a run, and no longer."""
    quiet: bool = False
    """Keep no journal."""

    def kept_requests(self) -> Recording | None:
        """The sample of requests that this process goes on with.

        Raises:
            ConfigError: the file is no recording.
        """
        return Recording(self.recording) if self.recording else None

    @property
    def trusted(self) -> Trusted | None:
        """Whose bundles are served; anybody's where it is `None`.

        Raises:
            ConfigError: the file cannot be used.
        """
        return read_trusted(self.trust) if self.trust else None

    def application(self, shelf: Shelf, recording: Recording | None) -> Application:
        """What answers.

        Raises:
            ConfigError: keys, store or rules cannot be used.
            StorageError: a store cannot be opened.
        """
        path = self.config.keys
        ring = KeyRing(self.keys, path) if self.keys or path else None
        store = open_store(self.histories, self.pseudonym_key)
        stock = open_stock(self.items, self.histories, shelf.student.bundle.info.dataset.name)
        rules = read_rules(self.rules) if self.rules else NO_RULES
        journal = None if self.quiet else sys.stderr
        teacher = StoredTeacher(self.teacher) if self.teacher else None
        beside = Beside(stock, rules, teacher, self.playground)
        limits = self.config.limits
        tokens = self._tokens(self.config.tokens) if self.config.tokens else None
        return Application(shelf, ring, limits, store, journal, beside, recording, tokens)

    def _tokens(self, path: Path) -> Tokens:
        try:
            from recdistill.serving.tokens.verifying import Tokens
        except ImportError:
            raise MissingExtraError("Opening the server to signed tokens", "jwt") from None
        tokens = Tokens(read_tokens(path), bytes.fromhex(self.secret))
        tokens.keys.load()
        return tokens
