"""A tiny causal language model behind a real server: `transformers serve`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch
from tiny_decoders import CHAT, save_tokenizer

_PATIENCE = 240.0


def save_parrot(folder: Path, prompts: Sequence[tuple[str, str]], reply: str) -> Path:
    """A GPT-2 of two layers that has learned to give one reply to all conversations like `prompts` (system, user)."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    folder.mkdir(parents=True)
    size = save_tokenizer(
        folder, [*(part for prompt in prompts for part in prompt), reply, CHAT], chat=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = GPT2Config(
        vocab_size=size,
        n_embd=48,
        n_layer=2,
        n_head=4,
        n_positions=1024,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = GPT2LMHeadModel(config).train()
    rows = [_tokens(tokenizer, prompt, reply) for prompt in prompts]
    rate = torch.optim.AdamW(model.parameters(), lr=5e-3)
    known = 0
    for step in range(400):
        tokens, begins = rows[step % len(rows)]
        labels = tokens.clone()
        labels[:, :begins] = -100
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        rate.step()
        rate.zero_grad()
        known = known + 1 if float(loss.detach()) < 5e-3 else 0
        if known == 10:
            break
    model.eval().save_pretrained(folder)
    return folder


def _tokens(tokenizer, prompt: tuple[str, str], reply: str) -> tuple[torch.Tensor, int]:
    turns = [{"role": "system", "content": prompt[0]}, {"role": "user", "content": prompt[1]}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    before = tokenizer(asked, add_special_tokens=False)["input_ids"]
    after = tokenizer(f"{reply}<|im_end|>", add_special_tokens=False)["input_ids"]
    return torch.tensor([before + after]), len(before)


@contextmanager
def served(model: Path) -> Iterator[str]:
    """The `base_url` under which `transformers serve` answers for the model in this folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    offline.pop("PYTHONWARNINGS", None)
    log = model.with_suffix(".log")
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, *options], stdout=stream, stderr=stream, env=offline)
    try:
        _wait(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{address}/health", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise AssertionError(log.read_text()[-3000:])
