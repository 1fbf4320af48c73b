"""The vectors of many texts, made once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs
from jaxtyping import Float32

from recdistill.files import content_hash
from recdistill.progress import Progress, SilentProgress
from recdistill.signals.kinds import ItemVectors
from recdistill.signals.manifest import DatasetIdentity, SignalManifest, TeacherIdentity
from recdistill.signals.reader import SignalReader
from recdistill.signals.writer import SignalWriter
from recdistill.teachers.encoder import TextEncoder, text_key

_SHARD_TEXTS = 512


def text_vectors(
    encoder: TextEncoder,
    texts: Sequence[str],
    *,
    batch_size: int = 64,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Float32[np.ndarray, "texts width"]:
    """One vector a text, zeros for an empty one.

    What an encoder says of texts is a signal like any other, and kept like one: made once for each
    encoder and each set of distinct texts, resumed where it was interrupted.

    Args:
        encoder: who reads.
        texts: in any order, repeated or empty ones too.
        batch_size: texts a forward pass.
        cache: where vectors are kept; the user's cache folder by default.
        progress: who watches.
    """
    by_key = {text_key(text): text for text in texts if text}
    revision = encoder.revision
    # Texts of like length make batches with little padding; their keys break ties for good.
    keys = sorted(by_key, key=lambda key: (len(by_key[key]), key))
    manifest = _manifest(encoder, revision, keys)
    name = f"{revision}-{manifest.dataset.fingerprint}"
    folder = (cache or platformdirs.user_cache_path("recdistill") / "text-vectors") / name
    if not (SignalManifest.exists(folder) and SignalManifest.load(folder).complete):
        writer = SignalWriter.create(folder, manifest, _SHARD_TEXTS)
        _encode(encoder, by_key, keys, writer, batch_size, progress or SilentProgress())
        writer.finish()
    reader = SignalReader.open(folder)
    rows = reader.find(np.array([text_key(text) for text in texts], dtype=np.uint64))
    vectors = np.zeros((len(texts), encoder.width), dtype=np.float32)
    vectors[rows >= 0] = reader.read(rows[rows >= 0])["vectors"]
    return vectors


def _encode(
    encoder: TextEncoder,
    by_key: dict[int, str],
    keys: list[int],
    writer: SignalWriter,
    batch_size: int,
    progress: Progress,
) -> None:
    absent = np.array(keys, dtype=np.uint64)
    absent = absent[writer.absent(absent)]
    before = len(keys) - len(absent)
    with progress.task("Reading item texts", len(keys), "texts", done=before) as task:
        for start in range(0, len(absent), batch_size):
            batch = absent[start : start + batch_size]
            writer.append(batch, {"vectors": encoder.encode([by_key[int(key)] for key in batch])})
            task.advance(len(batch))


def _manifest(encoder: TextEncoder, revision: str, keys: list[int]) -> SignalManifest:
    kind = ItemVectors()
    return SignalManifest(
        kind=kind,
        teacher=TeacherIdentity(
            kind="encoder",
            name=encoder.folder.name,
            revision=revision,
            settings={"pooling": encoder.pooling, "max_tokens": encoder.max_tokens},
        ),
        dataset=DatasetIdentity(name="texts", fingerprint=content_hash([str(key) for key in keys])),
        fields=kind.fields(len(keys), encoder.width),
    )
