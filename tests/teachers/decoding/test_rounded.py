"""Weights rounded to a few bits, and layers laid out by accelerate: for real, where the libraries are there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.naming import Line, said
from recdistill.teachers.adapting.settings import Lora
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.settings import SourceConfig

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LINES = [Line([5, 9, 40, 17], [30, 31]), Line([7, 8], [32, 33, 34]), Line([11, 12, 13], [35])]


@pytest.fixture(scope="module")
def folder(decoder_folder):
    return decoder_folder("qwen3", scale=0.1)


def losses(decoder: Decoder) -> np.ndarray:
    with torch.no_grad():
        return said(decoder, LINES).float().cpu().numpy()


@pytest.mark.filterwarnings("ignore")  # of bitsandbytes, about types that it casts
@pytest.mark.parametrize(("bits", "near"), [(8, 0.15), (4, 1.5)])
def test_an_adapter_learns_beside_rounded_weights_and_is_read_back(folder, tmp_path, bits, near):
    """Loading, one step, saving, loading: what the adapter learned is there again beside the same rounded weights."""
    pytest.importorskip("bitsandbytes", reason="weights of few bits need bitsandbytes")
    config = SourceConfig(model=str(folder), bits=bits)
    decoder = Decoder.load(folder, config, DEVICE)
    assert decoder.model.is_quantized
    plain, exact = losses(decoder), losses(Decoder.load(folder, SourceConfig(model=str(folder))))
    assert np.abs(plain - exact).max() < near
    assert np.abs(plain - exact).max() > 0
    trained = Trained(decoder.model, Lora(rank=4, dropout=0.0), seed=0)
    learning = [part for part in trained.parameters() if part.requires_grad]
    optimiser = torch.optim.SGD(learning, lr=0.5)
    learner = Decoder(trained.model, decoder.tokenizer, decoder.dtype)
    for _ in range(2):  # the first moves one of the two matrices only
        said(learner, LINES).mean().backward()
        assert all(part.grad is not None for part in learning)
        optimiser.step()
        optimiser.zero_grad()
    learned = losses(learner)
    assert learned.mean() < plain.mean()
    adapters.save(trained.model, tmp_path, str(folder))
    again = Decoder.load(folder, config, DEVICE, tmp_path)
    np.testing.assert_allclose(losses(again), learned, atol=0.05 * near)


def test_layers_laid_out_by_accelerate_say_the_same(folder):
    """On what there is: all GPUs, or the processor alone."""
    pytest.importorskip("accelerate", reason="laying out layers needs accelerate")
    spread = Decoder.load(folder, SourceConfig(model=str(folder), spread=True), DEVICE)
    whole = Decoder.load(folder, SourceConfig(model=str(folder)), DEVICE)
    assert hasattr(spread.model, "hf_device_map") == (DEVICE == "cuda")
    np.testing.assert_allclose(losses(spread), losses(whole), atol=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="two GPUs are needed")
def test_layers_lie_on_several_gpus(folder):
    pytest.importorskip("accelerate")
    spread = Decoder.load(folder, SourceConfig(model=str(folder), spread=True), DEVICE)
    assert len(set(spread.model.hf_device_map.values())) > 1
