"""A tiny encoder that is worth imitating."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def loud(tiny_encoder, tmp_path_factory) -> Path:
    """The tiny encoder, with layers that change what they get; drawn at random, they hardly do."""
    import torch

    from recdistill.teachers.encoder import TextEncoder

    encoder, folder = TextEncoder(tiny_encoder), tmp_path_factory.mktemp("loud")
    with torch.no_grad():
        for part in encoder.model.encoder.modules():
            if isinstance(part, torch.nn.Linear):
                part.weight.mul_(12)
    encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    return folder
