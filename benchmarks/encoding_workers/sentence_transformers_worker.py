"""Reads texts by sentence-transformers' own `encode` whenever it is told to; needs nothing of ours.

Usage: sentence_transformers_worker.py MODEL TEXTS.json VECTORS.npy MAX_TOKENS BATCH
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import sentence_transformers
import torch


def main(folder: str, texts: str, vectors: str, max_tokens: str, batch: str) -> None:
    torch.set_num_threads(1)
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    model.max_seq_length = int(max_tokens)
    read = json.loads(Path(texts).read_text())
    model.encode(read[:64])  # warm
    print(json.dumps({"version": sentence_transformers.__version__}), flush=True)
    for line in sys.stdin:
        began = time.process_time()
        found = model.encode(read, batch_size=int(batch), show_progress_bar=False)
        seconds = time.process_time() - began
        np.save(vectors, found)
        print(json.dumps({"seconds": seconds, "turn": line.strip()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
