"""Texts as vectors: the last hidden state of a causal model, the only one that has read all of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64

from recdistill.teachers.decoding.batching import Appetite
from recdistill.teachers.decoding.branches import padded
from recdistill.teachers.decoding.decoder import Decoder


def last_states(
    decoder: Decoder, texts: Sequence[Sequence[int]], appetite: Appetite
) -> Float32[np.ndarray, "texts width"]:
    """The state after the last token of each text, of length 1; zeros for an empty text."""
    found = np.zeros((len(texts), decoder.width), dtype=np.float32)
    some = [row for row, text in enumerate(texts) if len(text)]

    def read(rows: Int64[np.ndarray, " some"]) -> Float32[np.ndarray, "some width"]:
        return _read(decoder, [texts[some[row]] for row in rows])

    for rows, vectors in appetite.fed([len(texts[row]) for row in some], read):
        found[[some[row] for row in rows]] = vectors
    return found


@torch.inference_mode()
def _read(decoder: Decoder, texts: Sequence[Sequence[int]]) -> Float32[np.ndarray, "texts width"]:
    tokens, mask = padded(texts, decoder.device)
    body = decoder.model.base_model
    hidden = body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
    ends = (mask.sum(1) - 1).to(hidden.device)
    vectors = hidden[torch.arange(len(hidden), device=hidden.device), ends].float()
    return torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()


@torch.inference_mode()
def continued(
    decoder: Decoder, prompts: Sequence[Sequence[int]], at_most: int, appetite: Appetite
) -> list[str]:
    """The line that the model would write after each prompt, the likeliest token each time.

    Args:
        decoder: who writes.
        prompts: any, no empty ones.
        at_most: tokens of a line.
        appetite: how much is written at a time.
    """
    lines = [""] * len(prompts)
    room = [len(prompt) + at_most for prompt in prompts]
    for rows, found in appetite.fed(
        room, lambda rows: _written(decoder, [prompts[row] for row in rows], at_most)
    ):
        for row, line in zip(rows, found, strict=True):
            lines[row] = line
    return lines


def _written(decoder: Decoder, prompts: Sequence[Sequence[int]], at_most: int) -> list[str]:
    # What is written stands at the right, so what is read is padded on the left.
    tokens, mask = (
        part.flip(1) for part in padded([prompt[::-1] for prompt in prompts], decoder.device)
    )
    written = decoder.model.generate(
        input_ids=tokens,
        attention_mask=mask,
        max_new_tokens=at_most,
        do_sample=False,
        num_beams=1,
        pad_token_id=decoder.end,
        eos_token_id=decoder.end,
    )
    texts = decoder.tokenizer.batch_decode(written[:, tokens.shape[1] :], skip_special_tokens=True)
    return [(text.strip().splitlines() or [""])[0].strip() for text in texts]
