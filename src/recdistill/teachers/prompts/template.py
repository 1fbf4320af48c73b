"""Templates of prompts: files that come with the package, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.errors import ConfigError, MissingExtraError, nearest
from recdistill.files import content_hash

if TYPE_CHECKING:
    from jinja2 import Template as Compiled

_SHIPPED = files("recdistill.teachers.prompts") / "templates"
_SUFFIX = ".j2"
_USER, _SYSTEM = "user", "system"


@dataclass(frozen=True)
class Rendered:
    """A prompt as it is sent."""

    system: str
    user: str


@dataclass(frozen=True)
class Template:
    """A Jinja template with a block `user` and, if it likes, a block `system`.

    It runs in a sandbox: it sees the variables it is given and nothing else, includes nothing, and a variable that it
    misspells is refused.

    Attributes:
        name: how people call it.
        text: what the file holds.
    """

    name: str
    text: str

    @classmethod
    def read(cls, name: str) -> Template:
        """The template of the package that is called so, or the file.

        Raises:
            ConfigError: there is neither; the hint names the nearest.
        """
        shipped = _SHIPPED / f"{name}{_SUFFIX}"
        file = Path(name).expanduser()
        if "/" not in name and shipped.is_file():
            return cls(name, shipped.read_text(encoding="utf-8"))
        if file.is_file():
            return cls(file.name, file.read_text(encoding="utf-8"))
        raise ConfigError(
            f"There is no template '{name}': no file, and none that comes with the package.",
            nearest(name, shipped_templates()),
        )

    @property
    def identity(self) -> str:
        """A hash of what the file holds."""
        return content_hash([self.text])

    def render(self, facts: Mapping[str, Any]) -> Rendered:
        """The prompt with these variables.

        Raises:
            ConfigError: it names a variable that there is not, or does what the sandbox forbids.
        """
        from jinja2 import TemplateError, UndefinedError

        try:
            system, user = (self._block(block, facts) for block in (_SYSTEM, _USER))
        except UndefinedError as error:
            wanted = str(error.message or "").split("'")[1::2][:1] or [""]
            raise ConfigError(
                f"The template '{self.name}' cannot be filled: {error.message}.",
                nearest(wanted[0], sorted(facts)),
            ) from error
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise ConfigError(
                f"The template '{self.name}' cannot be filled: {error}.", "Correct the template."
            ) from error
        return Rendered(system, user)

    def _block(self, name: str, facts: Mapping[str, Any]) -> str:
        compiled = self._compiled
        if name not in compiled.blocks:
            return ""
        return "".join(compiled.blocks[name](compiled.new_context(dict(facts)))).strip()

    @cached_property
    def _compiled(self) -> Compiled:
        try:
            from jinja2 import StrictUndefined, TemplateSyntaxError
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise MissingExtraError("A prompt", "teacher") from error
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        try:
            compiled = environment.from_string(self.text)
        except TemplateSyntaxError as error:
            raise ConfigError(
                f"The template '{self.name}' is malformed in line {error.lineno}: {error.message}.",
                "It is a Jinja template.",
            ) from error
        if _USER not in compiled.blocks:
            raise ConfigError(
                f"The template '{self.name}' has no block '{_USER}'.",
                "Write {% block system %}…{% endblock %}{% block user %}…{% endblock %}.",
            )
        return compiled


def shipped_templates() -> list[str]:
    """The names of those that come with the package."""
    found = (entry.name for entry in _SHIPPED.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))
