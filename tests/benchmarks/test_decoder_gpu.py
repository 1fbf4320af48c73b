"""What the benchmark of large decoders counts, against torch's own count; the rest of it as a smoke test."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from recdistill.teachers.adapting.naming import Line, said
from recdistill.teachers.adapting.settings import Lora
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.decoding.decoder import Decoder

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ROWS, LENGTH = 2, 32


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return runpy.run_path(str(BENCHMARKS / "decoder_gpu.py"))


def tiny(benchmark: dict[str, Any]) -> tuple[Any, Any]:
    shape = benchmark["SHAPES"]["tiny"]
    return shape, benchmark["made"](shape, torch.device("cpu"), torch.float32)


def test_operations_are_those_that_torch_counts(benchmark):
    """All but attention's, of which torch counts the tokens behind too, or nothing, by the kernel."""
    shape, model = tiny(benchmark)
    layers = benchmark["layers_of"](model)
    tokens = torch.randint(shape.vocabulary, (ROWS, LENGTH))
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        model(input_ids=tokens, use_cache=False, logits_to_keep=1)
    trained = Trained(model, Lora(dropout=0.0), seed=0)
    title = benchmark["TITLE"]
    lines = [Line(row[:-title], row[-title:]) for row in tokens.tolist()]
    with FlopCounterMode(display=False) as training:
        said(Decoder(trained.model, None, torch.float32), lines).mean().backward()
    counted = benchmark["operations"](shape, layers, trained.share[0], ROWS, LENGTH)
    attention = 2 * LENGTH * shape.width * shape.layers * ROWS * LENGTH
    assert 0 <= forward.get_total_flops() - (counted[0] - attention) <= 2 * attention
    # The first layer's maps need no gradient of what goes into them: of the embeddings, which are frozen.
    below = counted[1] - 3 * attention - 2 * layers / shape.layers * ROWS * LENGTH
    assert below <= training.get_total_flops() <= counted[1] + 6 * attention


def test_it_runs_on_a_processor(benchmark):
    shape, model = tiny(benchmark)
    found = benchmark["rates"](model, shape, ROWS, LENGTH, torch.float32)
    assert all(value > 0 for value in found.values())
    assert {"forward_share_of_mm", "adapter_share_of_mm", "mm_tflops"} <= set(found)
