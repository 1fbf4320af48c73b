"""A model's folder that would like to run code of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

GPT2 = """
from transformers import GPT2Config, GPT2LMHeadModel

class AutoConfig(GPT2Config):
    model_type = "own"

class AutoModelForCausalLM(GPT2LMHeadModel):
    config_class = AutoConfig
"""


def with_code(folder: Path, into: Path, code: str = "") -> tuple[Path, Path]:
    """A copy of a model whose configuration points to code beside it, and the file that is there once that ran."""
    other, ran = shutil.copytree(folder, into / "with-code"), into / "ran"
    autos = ("AutoConfig", "AutoModel", "AutoModelForCausalLM")
    config = json.loads((other / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {auto: f"own.{auto}" for auto in autos}}
    (other / "config.json").write_text(json.dumps(config))
    (other / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\n{code}")
    return other, ran
