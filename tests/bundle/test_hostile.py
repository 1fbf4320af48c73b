"""Bundles by somebody who knows how they are made: every checksum is right, and what it vouches for is not.

None of them becomes a bundle, and none gets further than where it is known for what it is.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper

from recdistill.bundle import loading, runtime, table
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.scoring import codes
from recdistill.bundle.tensors import Layout, written
from recdistill.errors import BundleError

ITEMS, WIDTH = 40, 16
Change = Callable[[Path], None]


def seal(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """A manifest that vouches for whatever lies in the folder, by the documentation alone."""
    path = folder / "manifest.json"
    content = json.loads(path.read_bytes())
    content.pop("digest")
    for name in [file.name for file in folder.iterdir() if file != path]:
        data = (folder / name).read_bytes()
        content["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    change(content)
    body = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    content["digest"] = hashlib.sha256(body.encode()).hexdigest()
    ordered = {key: content[key] for key in sorted(content) if key != "digest"}
    ordered["digest"] = content["digest"]
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")


def saying(*path: str, value: Any) -> Change:
    """A manifest that says something else."""

    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return lambda folder: seal(folder, change)


def holding(name: str, data: bytes) -> Change:
    """Another file."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(data)
        seal(folder)

    return change


def tensors(layout: Layout, fill: float = 0.0, **changes: np.ndarray) -> bytes:
    shapes = {name: np.full(shape, fill) for name, (_, shape) in layout.items()}
    return written({**shapes, **changes}, layout)


def catalogue(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    def write(folder: Path) -> None:
        frame = change(pl.read_parquet(folder / "items.parquet"))
        frame.write_parquet(folder / "items.parquet")
        seal(folder)

    return write


def model(change: Callable[[onnx.ModelProto], None]) -> Change:
    def write(folder: Path) -> None:
        found = onnx.load(folder / "model.onnx")
        change(found)
        (folder / "model.onnx").write_bytes(found.SerializeToString())
        seal(folder)

    return write


def elsewhere(found: onnx.ModelProto, where: str) -> None:
    tensor = found.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=where)


def with_node(kind: str, inside: bool = False) -> Callable[[onnx.ModelProto], None]:
    def change(found: onnx.ModelProto) -> None:
        node = helper.make_node(kind, [], ["never"])
        if inside:
            outer = helper.make_node("Custom", [], ["x"])
            graph = helper.make_graph([node], "inner", [], [])
            outer.attribute.add(name="g", type=onnx.AttributeProto.GRAPH).g.CopyFrom(graph)
            node = outer
        found.graph.node.append(node)

    return change


def answering(kind: str, **attributes: Any) -> bytes:
    """A model of the right names that answers with one node over `vectors`."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(kind, ["vectors"], ["states"], **attributes)],
        "model",
        [
            value("vectors", TensorProto.FLOAT, ["rows", "places", WIDTH]),
            value("lengths", TensorProto.INT64, ["rows"]),
        ],
        [value("states", attributes.get("to", TensorProto.FLOAT), None)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return made.SerializeToString()


def with_index(data: bytes, **changes: Any) -> Change:
    entry = {"piece": 2, "depth": 100, "states": 10, "recall": 1.0}
    entry |= {"milliseconds": 1.0, "exact_milliseconds": 2.0, **changes}

    def write(folder: Path) -> None:
        (folder / "index.safetensors").write_bytes(data)
        seal(folder, lambda content: content.update(index=entry))

    return write


def parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


FLOATS: Layout = {"values": ("F32", (ITEMS, WIDTH))}
BOOKS: Layout = {"books": ("F32", (8, 16, 2)), "codes": ("U8", (ITEMS, 4))}
WIDE = 1 << 61
"""Forty times as many numbers are, in 64 bits, none."""

BEFORE_READING: dict[str, Change] = {
    "format 1": saying("format", value=1),
    "format 3": saying("format", value=3),
    "format as text": saying("format", value="2"),
    "format true": saying("format", value=True),
    "format 2.0": saying("format", value=2.0),
    "format null": saying("format", value=None),
    "no such field": saying("run", value="rm -rf /"),
    "no model": saying("model", value=None),
    "a list for a model": saying("model", value=[]),
    "width 0": saying("model", "width", value=0),
    "width -1": saying("model", "width", value=-1),
    "width 16.0": saying("model", "width", value=16.0),
    "width as text": saying("model", "width", value="16"),
    "history 0": saying("model", "history", value=0),
    "history -5": saying("model", "history", value=-5),
    "another precision": saying("model", "precision", value="pickle"),
    "weights that are no hash": saying("model", "weights", value="../../etc"),
    "no items": saying("dataset", "items", value=0),
    "items as text": saying("dataset", "items", value="40"),
    "a metric that is a list": saying("metrics", value={"ndcg@10": [1]}),
    "a file in a folder": saying("files", "../model.onnx", value={"sha256": "0" * 64, "size": 1}),
    "an absolute file": saying("files", "/etc/passwd", value={"sha256": "0" * 64, "size": 1}),
    "a file too many": holding("run.py", b"import os"),
    "a pickle": holding("model.pkl", b"\x80\x04."),
    "data beside the model": holding("model.onnx.data", bytes(99)),
    "reasons that nobody announced": holding("reasons.parquet", parquet(pl.DataFrame({"a": [1]}))),
    "an index that nobody announced": holding("index.safetensors", tensors(BOOKS)),
    "an index that is announced and absent": saying(
        "index",
        value={
            "piece": 2,
            "depth": 1,
            "states": 1,
            "recall": 1.0,
            "milliseconds": 1.0,
            "exact_milliseconds": 1.0,
        },
    ),
    "a hash in capitals": saying("files", "README.md", "sha256", value="AB" * 32),
    "a size below nothing": saying("files", "README.md", "size", value=-1),
    "a size beyond everything": saying("files", "README.md", "size", value=1 << 62),
    "an index of no pieces": with_index(tensors(BOOKS), piece=0),
    "an index of no depth": with_index(tensors(BOOKS), depth=0),
}
BEFORE_RUNNING: dict[str, Change] = {
    "a table of wrapping width": saying("model", "width", value=WIDE),
    "a table of another width": saying("model", "width", value=8),
    "a table of other numbers": saying("model", "precision", value="float16"),
    "a catalogue of other length": saying("dataset", "items", value=41),
    "an empty table": holding("table.safetensors", b""),
    "a header of 2^63 bytes": holding("table.safetensors", b"\xff" * 8 + bytes(99)),
    "a header that is none": holding("table.safetensors", (2).to_bytes(8, "little") + b"{}"),
    "a table beyond its end": holding("table.safetensors", tensors(FLOATS) + b"\0"),
    "overlapping tensors": holding(
        "table.safetensors", tensors(FLOATS).replace(b"[0,2560]", b"[4,2564]")
    ),
    "a table that is not finite": holding("table.safetensors", tensors(FLOATS, np.nan)),
    "an infinite table": holding("table.safetensors", tensors(FLOATS, -np.inf)),
    "a catalogue that is no table": holding("items.parquet", b"PAR1" + bytes(40) + b"PAR1"),
    "an empty catalogue": holding("items.parquet", b""),
    "items twice": catalogue(lambda items: items.with_columns(item_id=pl.lit("i1"))),
    "items in disorder": catalogue(lambda items: items.reverse()),
    "items without ids": catalogue(lambda items: items.drop("item_id")),
    "items with ids of nothing": catalogue(
        lambda items: items.with_columns(item_id=pl.lit(None, pl.String))
    ),
    "items too many": catalogue(lambda items: pl.concat([items, items])),
    "no model at all": holding("model.onnx", b"\xff\xff"),
    "a model of half a message": holding("model.onnx", b"\x3a\x7f"),
    "weights from elsewhere": model(lambda found: elsewhere(found, "../../etc/passwd")),
    "weights from the catalogue": model(lambda found: elsewhere(found, "items.parquet")),
    "a loop": model(with_node("Loop")),
    "a scan": model(with_node("Scan")),
    "a turn": model(with_node("If")),
    "a loop inside": model(with_node("Loop", inside=True)),
    "an index of other items": with_index(tensors({**BOOKS, "codes": ("U8", (39, 4))})),
    "an index of other pieces": with_index(tensors(BOOKS), piece=4),
    "an index of odd pieces": with_index(tensors(BOOKS), piece=3),
    "an index of huge pieces": with_index(tensors(BOOKS), piece=WIDE),
    "an index that is not finite": with_index(tensors(BOOKS, books=np.full((8, 16, 2), np.inf))),
}
AT_LAST: dict[str, Change] = {
    "an empty model": holding("model.onnx", b""),
    "a model of nothing": holding("model.onnx", onnx.ModelProto().SerializeToString()),
    "a model of other names": model(lambda found: found.graph.output.pop()),
    "an operation that nobody knows": holding("model.onnx", answering("FormatDisk")),
    "states of another shape": holding("model.onnx", answering("Identity")),
    "states that are whole numbers": holding("model.onnx", answering("Cast", to=TensorProto.INT64)),
}


def never(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """From now on `module.name` must not be reached."""

    def reached(*_: Any, **__: Any) -> None:
        raise AssertionError(f"{name} was reached")

    monkeypatch.setattr(module, name, reached)


@pytest.mark.parametrize("change", BEFORE_READING.values(), ids=BEFORE_READING)
def test_refused_before_any_file_is_parsed(
    copied: Callable[[], Path], change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied()
    change(folder)
    for module, name in ((loading, "_read_items"), (table, "read"), (runtime, "session")):
        never(monkeypatch, module, name)
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("change", BEFORE_RUNNING.values(), ids=BEFORE_RUNNING)
def test_refused_before_the_model_is_parsed(
    copied: Callable[[], Path], change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied()
    change(folder)
    never(monkeypatch, runtime, "session")
    never(monkeypatch, codes, "library")
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize("change", AT_LAST.values(), ids=AT_LAST)
def test_refused_before_anybody_asks(copied: Callable[[], Path], change: Change) -> None:
    folder = copied()
    change(folder)
    with pytest.raises(BundleError):
        load_bundle(folder)


def test_what_is_sealed_by_hand_is_a_bundle(copied: Callable[[], Path]) -> None:
    """So it is the changes that are refused. Fifty of them and more."""
    folder = copied()
    seal(folder)
    assert load_bundle(folder).info.dataset.items == ITEMS
    with_index(tensors(BOOKS))(folder)
    assert load_bundle(folder).info.index is not None
    assert len({**BEFORE_READING, **BEFORE_RUNNING, **AT_LAST}) >= 70
