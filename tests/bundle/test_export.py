"""Export: what it writes, what it refuses, and that it never leaves a bundle that answers otherwise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
import torch
from language import decoder

from recdistill.bundle import export as export_module
from recdistill.bundle.agreement import probes, require_agreement
from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.onnx_export import to_onnx
from recdistill.bundle.runtime import Runtime
from recdistill.bundle.students import encoder_of, item_vectors, weights_hash
from recdistill.bundle.table import Table
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import BundleError, ConfigError, MissingExtraError, RecDistillError
from recdistill.models.decoder import Decoder
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.models.sasrec import SASRec, SASRecConfig


def test_same_input_same_bytes(
    student: SASRec, tiny_dataset: Dataset, bundle_folder: Path, tmp_path: Path
) -> None:
    again = export(student, tiny_dataset, tmp_path / "again", metrics={"ndcg@10": 0.125})
    names = sorted(path.name for path in bundle_folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (bundle_folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    assert again.info.digest == load_bundle(bundle_folder).info.digest


def opened(model: SASRec | Decoder) -> Runtime:
    """A student as its two files."""
    vectors = item_vectors(model)
    exported = to_onnx(encoder_of(model), vectors.shape[1])
    return Runtime(exported, Table.of(vectors, "float32"), model.history)


def test_rotary_places_too(tiny_dataset: Dataset) -> None:
    model = SASRec.for_dataset(
        tiny_dataset, width=8, blocks=1, history=5, positions="rotary", seed=1
    )
    found = require_agreement(model, opened(model), probes(tiny_dataset, 1_000))
    assert found.histories == 1_000
    assert found.largest_difference < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_layers_of_a_language_model_too(
    tiny_dataset: Dataset, tmp_path: Path, kind: str
) -> None:
    settings = {"width": 8, "history": 5, "seed": 1}
    layers = str(decoder(tmp_path / "layers", kind))
    model = Decoder.for_dataset(tiny_dataset, model=layers, **settings)
    found = require_agreement(model, opened(model), probes(tiny_dataset, 1_000))
    assert found.largest_difference < 2e-5


class TracedOnce(torch.nn.Module):
    """Computes with three places only."""

    def forward(self, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return vectors.reshape(-1, 3, vectors.shape[2]).sum(1)[: len(lengths)]


def test_a_graph_for_one_number_of_places_does_not_leave() -> None:
    with pytest.raises(BundleError, match="cannot leave"):
        to_onnx(TracedOnce(), 8)


def test_what_items_are_made_of_stays_behind(tiny_dataset: Dataset) -> None:
    """Of a teacher's vectors and what bends them a bundle holds the sums, and no byte more."""
    size, items = {"width": 8, "blocks": 1, "history": 5}, {"kind": "offset", "features": 300}
    model = SASRec.for_dataset(tiny_dataset, **size, items=items, seed=1)
    model.network.items.features.normal_()
    exported = to_onnx(encoder_of(model), 8)
    plain = to_onnx(encoder_of(SASRec.for_dataset(tiny_dataset, **size, seed=1)), 8)
    assert len(exported) == len(plain)
    found = require_agreement(model, opened(model), probes(tiny_dataset, 500))
    assert found.largest_difference < 2e-5


def test_popularity_is_a_bundle(popular: Popularity, tiny_dataset: Dataset, tmp_path: Path) -> None:
    bundle = export(popular, tiny_dataset, tmp_path / "popular", created="2026-11-20")
    asked = [["i0001", "i0005"], []]
    assert bundle.recommend(asked).equals(popular.recommend(asked))
    assert bundle.info.model.history is None
    assert bundle.info.created == "2026-11-20"
    counts = np.bincount(tiny_dataset.train.items, minlength=40)
    best = sorted(range(40), key=lambda item: (-counts[item], item))[:10]
    assert bundle.recommend([[]])["item_id"].to_list() == [f"i{item:04d}" for item in best]
    card = (tmp_path / "popular" / "README.md").read_text()
    assert "2026-11-20" in card
    assert "no history" in card


def test_one_file_of_opset_17_or_more_that_tells_no_paths(bundle_folder: Path) -> None:
    data = (bundle_folder / "model.onnx").read_bytes()
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.domain for entry in model.opset_import] == [""]
    assert model.opset_import[0].version >= 17
    for trace in (b"site-packages", b"recdistill/", b"File ", str(Path.cwd()).encode()):
        assert trace not in data


def test_the_model_does_not_hold_the_item_table() -> None:
    wide = SASRec(SASRecConfig(width=16, blocks=1, history=4), Vocabulary(pl.Series(range(5_000))))
    assert len(to_onnx(encoder_of(wide), 16)) < 0.2 * 5_000 * 16 * 4


def test_exporting_leaves_the_student_as_it_was(popular: Popularity, student: SASRec) -> None:
    before, training = weights_hash(student.network), student.network.training
    encoder_of(student).eval()
    assert student.network.training == training
    assert weights_hash(student.network) == before


def test_weights_hash_knows_names_shapes_and_values() -> None:
    one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    other.load_state_dict(one.state_dict())
    assert weights_hash(one) == weights_hash(other)
    with torch.no_grad():
        other.bias[0] += 1e-6
    assert weights_hash(one) != weights_hash(other)
    assert weights_hash(torch.nn.Linear(3, 2)) != weights_hash(one)


def test_disagreement_is_told_and_leaves_nothing(
    tiny_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, popular_onnx: bytes
) -> None:
    changed = Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)
    honest = item_vectors(changed)
    monkeypatch.setattr(export_module, "to_onnx", lambda *_: popular_onnx)
    monkeypatch.setattr(export_module, "item_vectors", lambda _: honest)
    changed.network.get_buffer("scores")[3] += 9.0
    with pytest.raises(BundleError, match="disagree on history") as caught:
        export(changed, tiny_dataset, tmp_path / "bundle")
    assert "PyTorch:      3: " in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("score", "error", "told"),
    [(1e6, BundleError, "disagree"), (float("nan"), RecDistillError, "not finite")],
)
def test_what_was_there_before_stays_when_the_new_one_fails(
    tiny_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    popular_onnx: bytes,
    score: float,
    error: type[RecDistillError],
    told: str,
) -> None:
    broken = Popularity.for_dataset(tiny_dataset)
    honest = item_vectors(broken)
    monkeypatch.setattr(export_module, "to_onnx", lambda *_: popular_onnx)
    monkeypatch.setattr(export_module, "item_vectors", lambda _: honest)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "kept").write_text("old")
    broken.network.get_buffer("scores")[0] = score
    with pytest.raises(error, match=told):
        export(broken, tiny_dataset, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "kept").read_text() == "old"


class Told(Runtime):
    """A runtime that answers what it is told."""

    def __init__(self, items: list[int], scores: list[float]) -> None:
        self.answer = np.array([items]), np.array([scores], dtype=np.float32)

    def top(self, *_: Any, **__: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.answer


def with_scores(scores: list[float]) -> Popularity:
    model = Popularity(Popularity.Config(), Vocabulary(pl.Series(range(len(scores)))))
    model.network.get_buffer("scores").copy_(torch.tensor(scores))
    return model


@pytest.mark.parametrize(
    ("items", "scores", "agrees"),
    [
        ([0, 1, 2], [3.0, 2.0, 2.00001], True),
        ([0, 2, 1], [3.0, 2.00001, 2.0], True),  # nearer than float32 sums can tell
        ([0, 1, 2], [3.0, 2.0, 2.001], False),  # another score
        ([1, 0, 2], [3.0, 2.00001, 2.0], False),  # another order
        ([0, 1, 1], [3.0, 2.00001, 2.0], False),  # an item twice
        ([0, 1, -1], [3.0, 2.0, -np.inf], False),  # an item less
        ([0, 1, 2], [3.0, 2.0, np.nan], False),
        ([0, 1, 2], [np.inf, 2.0, 2.0], False),
    ],
)
def test_near_ties_are_allowed_and_nothing_else(
    items: list[int], scores: list[float], agrees: bool
) -> None:
    model = with_scores([3.0, 2.0, 2.00001])
    told, nobody = Told(items, scores), Sequences.from_lists([[]])
    if agrees:
        assert require_agreement(model, told, nobody).histories == 1
    else:
        with pytest.raises(BundleError, match="disagree"):
            require_agreement(model, told, nobody)


def test_probes_are_real_and_odd(tiny_dataset: Dataset) -> None:
    found = probes(tiny_dataset, 2_000)
    assert len(found) == 2_000
    lengths = found.lengths
    assert lengths.min() == 0
    assert lengths.max() > 300
    assert (lengths == 1).sum() > 100
    rows = {tuple(found[row].tolist()) for row in range(len(found))}
    valid = {
        tuple(row.tolist()) for row in map(tiny_dataset.valid.histories.__getitem__, range(20))
    }
    assert rows & valid
    assert any(len(row) > 50 and len(set(row)) == 1 for row in rows)


def test_unknown_precision_names_the_valid_ones(student: SASRec, tiny_dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="int4") as caught:
        export(student, tiny_dataset, "nowhere", precision="int4")
    assert "int8" in caught.value.hint


def test_too_few_checks(student: SASRec, tiny_dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="999"):
        export(student, tiny_dataset, "nowhere", checks=999)


def test_another_datasets_student(tiny_dataset: Dataset) -> None:
    with pytest.raises(BundleError, match="does not know the items of dataset 'tiny'"):
        export(with_scores([1.0, 2.0]), tiny_dataset, "nowhere")


def test_models_without_a_graph_are_refused(tiny_dataset: Dataset) -> None:
    with pytest.raises(BundleError, match="item-knn") as caught:
        export(ItemKNN.for_dataset(tiny_dataset), tiny_dataset, "nowhere")
    assert caught.value.hint == "Models that can: decoder, popularity, sasrec."


def test_says_what_to_install(
    student: SASRec, tiny_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"recdistill\[export\]"):
        to_onnx(encoder_of(student), 16)


def test_the_card_tells_facts(bundle: Bundle, bundle_folder: Path) -> None:
    card = (bundle_folder / "README.md").read_text()
    for fact in (
        "sasrec",
        "tiny",
        "ndcg@10 | 0.125 |",
        "latest 8 items",
        bundle.info.model.weights[:16],
    ):
        assert fact in card
    assert '["i0000", "i0039"]' in card


def test_the_card_says_what_was_said_and_what_nobody_said(
    student: SASRec, tiny_dataset: Dataset, bundle_folder: Path, tmp_path: Path
) -> None:
    plain = (bundle_folder / "README.md").read_text()
    assert "teacher: not told; licence: not told" in plain
    assert "Nobody has said more" in plain
    metrics = {"uplift/ndcg@10": 0.5, "uplift/ndcg@10/low": 0.25, "uplift/ndcg@10/high": 0.75}
    said = {"teacher": "causal-lm (some/model)", "teacher_licence": "MIT", "intended_use": "Films."}
    bundle = export(student, tiny_dataset, tmp_path / "told", metrics=metrics, about=said)
    card = (tmp_path / "told" / "README.md").read_text()
    assert "teacher: causal-lm (some/model); licence: MIT" in card
    assert "| uplift/ndcg@10 | 0.5 [0.25, 0.75] |" in card
    assert "## Intended use\n\nFilms." in card
    assert bundle.info.about is not None
    assert bundle.info.metrics == metrics
    with pytest.raises(ConfigError, match="no place for 'licence'"):
        export(student, tiny_dataset, tmp_path / "no", about={"licence": "MIT"})


def test_whom_lists_show(bundle: Bundle, tiny_dataset: Dataset) -> None:
    """Against the verb and a count by hand."""
    entry = bundle.info.lists
    assert entry is not None
    histories = probes(tiny_dataset, 1_000)
    assert entry.histories == len(histories)
    ids = tiny_dataset.vocabulary.ids
    frame = bundle.recommend(
        [ids.gather(row).to_list() for row in map(histories.__getitem__, range(len(histories)))]
    )
    assert entry.coverage == pytest.approx(frame["item_id"].n_unique() / 40)
    counts = np.bincount(tiny_dataset.train.items, minlength=40)
    head = sorted(range(40), key=lambda item: (-counts[item], item))[:4]
    given = frame["item_id"].is_in([ids[item] for item in head])
    assert entry.popular == pytest.approx(given.mean(), abs=1e-6)
    assert entry.popular_events == pytest.approx(counts[head].sum() / counts.sum(), abs=1e-6)
