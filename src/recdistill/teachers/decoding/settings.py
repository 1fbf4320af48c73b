"""Which language model is loaded, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from recdistill.settings import Settings
from recdistill.teachers.adapting import adapters
from recdistill.teachers.decoding.weights import files_hash

Precision = Literal["auto", "bfloat16", "float16", "float32"]


class SourceConfig(Settings):
    """Any causal language model of the transformers library."""

    model: str
    """An id on the Hugging Face hub, or a folder."""
    revision: str | None = None
    """A branch, tag or commit on the hub. A commit pins it: what a branch names may change."""
    dtype: Precision = "auto"
    """What its weights are computed in; `auto` takes bfloat16 where a GPU multiplies it, float32 elsewhere."""
    bits: Literal[8, 4] | None = Field(default=None, exclude_if=lambda given: given is None)
    """Load the weights rounded to so many bits, by bitsandbytes."""
    spread: bool = Field(default=False, exclude_if=lambda given: not given)
    """Lay the layers out over all GPUs there are, by accelerate."""
    trust_remote_code: bool = Field(default=False, exclude_if=lambda given: not given)
    """Whether code that comes with the model may run. It can do whatever you can."""

    adapter: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """An adapter of the model in peft's format: a folder, or an id on the hub."""
    adapter_revision: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """A branch, tag or commit of the adapter on the hub."""

    @model_validator(mode="after")
    def _of_an_adapter(self) -> Self:
        if self.adapter is None and self.adapter_revision is not None:
            raise ValueError("`adapter_revision` pins an adapter: name it with `adapter`")
        return self

    @property
    def besides(self) -> list[str]:
        """The content of the folders, where the model or the adapter is one."""
        folder, added = (Path(name or "").expanduser() for name in (self.model, self.adapter))
        fitted = [adapters.revision(added)] if self.adapter and adapters.is_adapter(added) else []
        return [*([files_hash(folder)] if folder.is_dir() else []), *fitted]
