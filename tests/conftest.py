"""Shapes and types are checked on every call; small generated datasets for every room."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("recdistill", "shapes.check")

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import pytest  # noqa: E402

from recdistill.data.dataset import Dataset  # noqa: E402
from recdistill.data.preparation import load_dataset  # noqa: E402

# A busy machine is no failure, and a fixed choice of examples makes every run the same.
hypothesis.settings.register_profile("steady", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("steady")

_KINDS = ("crime", "romance", "western", "space", "music")
_FIRST_DAY = 1_600_000_000


def make_log(users: int, items: int, events: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log with structure: users have a favourite kind, and film `i + 5` tends to follow `i`."""
    random = np.random.default_rng(seed)
    kind_of = np.arange(items) % len(_KINDS)
    popularity = 1.0 / (1.0 + np.arange(items)) ** 0.7
    favourite = random.integers(len(_KINDS), size=users)
    who = np.concatenate(
        [np.repeat(np.arange(users), 4), random.integers(users, size=events - 4 * users)]
    )
    random.shuffle(who)
    last = np.full(users, -1)
    what = np.empty(events, dtype=np.int64)
    for event, user in enumerate(who):
        if last[user] >= 0 and random.random() < 0.6:
            what[event] = (last[user] + len(_KINDS)) % items
        else:
            weights = popularity * np.where(kind_of == favourite[user], 8.0, 1.0)
            what[event] = random.choice(items, p=weights / weights.sum())
        last[user] = what[event]
    log = pl.DataFrame(
        {
            "user_id": [f"u{user:04d}" for user in who],
            "item_id": [f"i{item:04d}" for item in what],
            "timestamp": _FIRST_DAY + np.cumsum(random.integers(1, 7_200, size=events)),
            "rating": random.integers(1, 6, size=events).astype(np.float32),
        }
    )
    films = pl.DataFrame(
        {
            "item_id": [f"i{item:04d}" for item in range(items)],
            "title": [f"The {_KINDS[item % len(_KINDS)]} story {item}" for item in range(items)],
            "genres": [_KINDS[item % len(_KINDS)] for item in range(items)],
        }
    )
    return log, films


@pytest.fixture(scope="session")
def make_source() -> Callable[..., Path]:
    """`make_source(folder, users=60, items=40, events=1500, seed=0)` writes a log and a catalogue as Parquet."""

    def make(
        folder: Path, users: int = 60, items: int = 40, events: int = 1500, seed: int = 0
    ) -> Path:
        log, films = make_log(users, items, events, seed)
        source = folder / "source"
        source.mkdir(parents=True)
        log.write_parquet(source / "log.parquet")
        films.write_parquet(source / "items.parquet")
        return source

    return make


@pytest.fixture(scope="session")
def make_dataset(make_source: Callable[..., Path]) -> Callable[..., Dataset]:
    """`make_dataset(folder, users=60, items=40, events=1500, seed=0, **settings) -> Dataset`."""

    def make(
        folder: Path,
        users: int = 60,
        items: int = 40,
        events: int = 1500,
        seed: int = 0,
        **settings: object,
    ) -> Dataset:
        source = make_source(folder, users, items, events, seed)
        return load_dataset(source, into=folder / "dataset", name="tiny", **settings)

    return make


@pytest.fixture(scope="session")
def tiny_dataset(
    make_dataset: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory
) -> Dataset:
    """60 users, 40 items with titles, 1,500 events, split by global time; shared, so read-only."""
    return make_dataset(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """A BERT of two layers with a tokenizer of a few words, as a folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoders") / "tiny-bert"
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "crime",
        "romance",
        "western",
        "space",
        "music",
        "story",
    ]
    pieces = [*words, *map(str, range(10)), *(f"##{digit}" for digit in range(10))]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder
