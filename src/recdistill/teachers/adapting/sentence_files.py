"""What sentence-transformers wants to find beside a model, so that it makes the same vectors of texts."""

from __future__ import annotations

from pathlib import Path

from recdistill.files import write_json
from recdistill.teachers.encoder import Pooling, TextEncoder

_CALLED: dict[Pooling, str] = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "last": "pooling_mode_lasttoken",
}


def write(encoder: TextEncoder, folder: Path) -> None:
    """Say in `folder`, which holds the encoder's model and tokenizer, how token vectors become one."""
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if encoder.normalise:
        steps.append(("2_Normalize", "Normalize"))
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(steps)
    ]
    for path, _ in steps:
        (folder / path).mkdir(exist_ok=True)
    write_json(folder / "modules.json", modules)
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": encoder.max_tokens, "do_lower_case": False},
    )
    ways = {name: kind == encoder.pooling for kind, name in _CALLED.items()}
    write_json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": encoder.width, **ways}
    )
