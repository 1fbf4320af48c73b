"""Bundles that differ in their titles alone, beside each other in a folder with a pointer."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import polars as pl

from recdistill.bundle.manifest import ITEMS, MANIFEST, parse_manifest
from recdistill.serving.pointer import Pointer


def renamed(bundle: Path, into: Path, mark: str) -> Path:
    """A bundle whose titles all begin with `mark`: as whole as the first, under another digest."""
    shutil.copytree(bundle, into)
    items = pl.read_parquet(into / ITEMS).with_columns(title=mark + pl.col("title"))
    items.write_parquet(into / ITEMS)
    data = (into / ITEMS).read_bytes()
    manifest = parse_manifest((into / MANIFEST).read_bytes())
    entry = manifest.files[ITEMS].model_copy(
        update={"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    )
    files = manifest.model_copy(update={"files": {**manifest.files, ITEMS: entry}})
    (into / MANIFEST).write_text(files.render(), encoding="utf-8")
    return into


def editions(bundle: Path, bundles: Path) -> Path:
    """Three good bundles and one with a flipped byte; `a` is current."""
    bundles.mkdir()
    for mark in "abc":
        renamed(bundle, bundles / mark, mark)
    shutil.copytree(bundle, bundles / "broken")
    data = bytearray((bundles / "broken" / ITEMS).read_bytes())
    data[100] ^= 1
    (bundles / "broken" / ITEMS).write_bytes(data)
    Pointer(bundles).promote("a")
    return bundles
