"""The configuration that is found in a run folder. Whoever made the folder wrote it, and that may have been somebody
else: it tells how the run was made, and is no permission for anything."""

from __future__ import annotations

from pathlib import Path

from recdistill.asking import EndpointConfig
from recdistill.config.located import LocatedYaml
from recdistill.config.tree import RunConfig, parse_config
from recdistill.errors import ConfigError
from recdistill.settings import Keys, Settings, parts
from recdistill.teachers.decoding.settings import SourceConfig


def load_found(file: Path, assignments: list[str]) -> RunConfig:
    """The configuration in a run folder, with `a.b=c` assignments applied, which are the caller's own word.

    Raises:
        ConfigError: it is wrong, or lets code run that comes with a model.
    """
    config = parse_config(LocatedYaml.read(file).override(assignments))
    only_told(config, file, {tuple(one.partition("=")[0].split(".")) for one in assignments})
    return config


def only_told(settings: Settings, file: Path, said: set[Keys] | None = None) -> None:
    """Let nobody be asked, no key be sent and no code run because a `file` says so that lies in a folder.

    Args:
        settings: what it says.
        file: how refusals call it.
        said: the keys that the caller set; what stands there is the caller's own word.

    Raises:
        ConfigError: code that comes with a model would run.
    """
    own = said or set()
    for keys, endpoint in parts(settings, EndpointConfig):
        needed = ("base_url", *(("api_key_env",) if endpoint.api_key_env else ()))
        if not all(_is_said((*keys, name), own) for name in needed):
            endpoint.disown()
    for keys, source in parts(settings, SourceConfig):
        if source.trust_remote_code and not _is_said((*keys, "trust_remote_code"), own):
            raise ConfigError(
                f"{file} lets code run that comes with the language model '{source.model}'.",
                "That it was allowed when the run was made is no permission here. If you trust the code, give the "
                "configuration file in place of the run folder, or say "
                f"--set {'.'.join((*keys, 'trust_remote_code'))}=true.",
            )


def _is_said(keys: Keys, said: set[Keys]) -> bool:
    """Whether these keys were set, or something that holds them was."""
    return any(keys[: len(one)] == one for one in said)
