"""A large language model on a GPU: tokens a second forward and in training an adapter, beside what `torch.mm` does.

Models are drawn at random, in the shapes of Llama 3 (1, 3 and 8 thousand million weights), for speed does not depend
on what was learned. What is trained is what `adapt: lora` trains: our adapter on every linear map, our loss of titles
after prompts, gradients and all but the optimiser's step, which is next to nothing for an adapter. Each round measures
a product and, beside it, a forward pass or a training, so that what heats or shares the GPU hurts both alike.

Operations a token, with P the weights that it is multiplied by (no look-up of embeddings; the head only where logits
are made) and A those of the adapter, an operation being a multiplication or an addition:

- forward 2·P: a multiplication and an addition with every weight;
- training an adapter 4·P + 6·A: the same forward, and once more 2·P on the way back, for gradients of what goes into
  each frozen map; its own weights have none (they would be the third 2·P of 6·P, of a whole model). The adapter's own
  weights take all three. Where activations are made again, 2·P more are spent and count for nothing here;
- attention, whose products are of tokens with tokens before them: 2·T·width a layer forward (two products over T/2
  tokens on average), three times that in training.

    python benchmarks/decoder_gpu.py [--model tiny|1b|3b|8b] [--device cuda] [--rows 8] [--length 512]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from common import Claim, finish
from transformers import AutoModelForCausalLM, LlamaConfig

from recdistill.teachers.adapting.naming import Line, said
from recdistill.teachers.adapting.settings import Lora
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.decoding.decoder import Decoder

TITLE, ROUNDS, BEFORE = 16, 7, 2
SHARES = {"forward": 0.5, "adapter": 0.4}
"""Of the rate of `torch.mm`, on a GPU and from a thousand million weights on."""


@dataclass(frozen=True)
class Shape:
    """How large a Llama is."""

    width: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    product: int
    """Rows and columns of the matrices that `torch.mm` multiplies."""


SHAPES = {
    "tiny": Shape(128, 256, 2, 4, 1_000, 512),
    "1b": Shape(2048, 8192, 16, 32, 128_256, 8192),
    "3b": Shape(3072, 8192, 28, 24, 128_256, 8192),
    "8b": Shape(4096, 14_336, 32, 32, 128_256, 8192),
}


def made(shape: Shape, device: torch.device, dtype: torch.dtype) -> Any:
    """The model, drawn at random where it will compute."""
    config = LlamaConfig(
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=min(8, shape.heads),
        vocab_size=shape.vocabulary,
        max_position_embeddings=8192,
    )
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model.eval().requires_grad_(False)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long `work` takes, until the device is done with it."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def layers_of(model: Any) -> int:
    """The weights of the layers' linear maps."""
    maps = (one for one in model.model.layers.modules() if isinstance(one, torch.nn.Linear))
    return sum(one.weight.numel() for one in maps)


def operations(
    shape: Shape, layers: int, adapter: int, rows: int, length: int
) -> tuple[float, float]:
    """Of one forward pass that ends in one row of logits each, and of one pass of training; see above.

    Args:
        shape: of the model.
        layers: the weights of its layers' linear maps, the adapter's left out.
        adapter: the weights of the adapter.
        rows: texts of a pass.
        length: tokens of each.
    """
    tokens, head = rows * length, shape.vocabulary * shape.width
    attention = 2 * length * shape.width * shape.layers * tokens
    forward = 2 * layers * tokens + 2 * head * rows + attention
    logits = rows * (TITLE + 1)
    training = (4 * layers + 6 * adapter) * tokens + 4 * head * logits + 3 * attention
    return float(forward), float(training)


def rates(model: Any, shape: Shape, rows: int, length: int, dtype: torch.dtype) -> dict[str, Any]:
    """Tokens a second and shares of the products' rate, medians over rounds."""
    device, layers = model.device, layers_of(model)
    plain = torch.randint(shape.vocabulary, (rows, length), device=device)
    lines = [Line(row[:-TITLE], row[-TITLE:]) for row in plain.tolist()]
    matrix = torch.randn(shape.product, shape.product, device=device, dtype=dtype)

    @torch.inference_mode()
    def read() -> None:
        model(input_ids=plain, use_cache=False, logits_to_keep=1)

    def rounds(*works: Callable[[], object]) -> list[list[float]]:
        return [[seconds(one, device) for one in works] for _ in range(BEFORE + ROUNDS)][BEFORE:]

    before = rounds(lambda: torch.mm(matrix, matrix), read)  # the adapter, once in, stays in
    trained = Trained(model, Lora(dropout=0.0), seed=0)
    adapter, _ = trained.share
    decoder = Decoder(trained.model, None, dtype)

    def learn() -> None:
        said(decoder, lines).mean().backward()
        trained.zero_grad(set_to_none=True)

    after = rounds(lambda: torch.mm(matrix, matrix), learn)
    product, tokens = 2.0 * shape.product**3, rows * length
    found: dict[str, Any] = {"adapter_weights": adapter}
    for name, times, work in zip(
        SHARES, (before, after), operations(shape, layers, adapter, rows, length), strict=True
    ):
        found[f"{name}_tokens_per_second"] = statistics.median(tokens / one for _, one in times)
        shares = (work / one / (product / mm) for mm, one in times)
        found[f"{name}_share_of_mm"] = statistics.median(shares)
    found["mm_tflops"] = statistics.median(product / mm for mm, _ in [*before, *after]) / 1e12
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=SHAPES, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    given = parser.parse_args()
    device, shape = torch.device(given.device), SHAPES[given.model]
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = made(shape, device, dtype)
    weights = sum(part.numel() for part in model.parameters())
    row: dict[str, Any] = {
        "model": given.model,
        "weights": weights,
        "device": _name(device),
        "dtype": str(dtype),
    }
    row |= {"rows": given.rows, "length": given.length}
    row |= rates(model, shape, given.rows, given.length, dtype)
    if device.type == "cuda":
        row["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    judged = SHARES if device.type == "cuda" and given.model != "tiny" else {}
    claims = [
        Claim(
            f"{given.model}, {name}: share of the rate of torch.mm",
            row[f"{name}_share_of_mm"],
            at_least,
        )
        for name, at_least in judged.items()
    ]
    finish(f"decoder_gpu_{given.model}_{device.type}", given.model, [row], claims)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"


if __name__ == "__main__":
    main()
