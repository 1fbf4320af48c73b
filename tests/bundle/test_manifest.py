"""The manifest: what it says, and that nobody can make it say anything else."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.bundle.manifest import CONTENTS, Manifest, parse_manifest
from recdistill.errors import BundleError


@pytest.fixture(scope="session")
def text(bundle_folder: Path) -> bytes:
    return (bundle_folder / "manifest.json").read_bytes()


def resealed(content: dict[str, Any]) -> bytes:
    """What someone writes who knows how the digest is made: by hand, from the documentation."""
    content.pop("digest", None)
    body = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    ordered = {key: content[key] for key in sorted(content)}
    ordered["digest"] = hashlib.sha256(body.encode()).hexdigest()
    return (json.dumps(ordered, indent=2, ensure_ascii=False) + "\n").encode()


def test_reads_what_it_writes(text: bytes) -> None:
    manifest = parse_manifest(text)
    assert manifest.render().encode() == text
    assert parse_manifest(resealed(json.loads(text))) == manifest


def test_digest_is_as_documented(text: bytes) -> None:
    content = json.loads(text)
    stated = content.pop("digest")
    body = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    assert stated == hashlib.sha256(body.encode()).hexdigest() == parse_manifest(text).digest


def test_says_what_is_in_the_folder(text: bytes, bundle_folder: Path) -> None:
    manifest = parse_manifest(text)
    assert sorted(manifest.files) == sorted(CONTENTS)
    for name, entry in manifest.files.items():
        data = (bundle_folder / name).read_bytes()
        assert entry.size == len(data)
        assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert manifest.metrics == {"ndcg@10": 0.125}
    assert manifest.created is None


@given(data=st.data())
def test_no_byte_of_it_may_change(text: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[place]))
    with pytest.raises(BundleError):
        parse_manifest(text[:place] + bytes([byte]) + text[place + 1 :])


@given(cut=st.integers(0, 400))
def test_a_torn_manifest_is_refused(text: bytes, cut: int) -> None:
    with pytest.raises(BundleError):
        parse_manifest(text[: cut * len(text) // 401])


@pytest.mark.parametrize(
    "name",
    [
        "../model.onnx",
        "/etc/passwd",
        "sub/model.onnx",
        "model.onnx\u0000",
        "MODEL.ONNX",
        "model.onnx.",
        "mödel.onnx",
        "",
    ],
)
def test_other_names_are_refused_even_with_a_right_digest(text: bytes, name: str) -> None:
    content = json.loads(text)
    content["files"][name] = content["files"].pop("model.onnx")
    with pytest.raises(BundleError, match="files must be"):
        parse_manifest(resealed(content))


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("format",), 1, "format 1"),
        (("format",), "1", "format '1'"),
        (("format",), None, "format None"),
        (("files", "model.onnx", "size"), -1, "size"),
        (("files", "model.onnx", "sha256"), "0" * 63, "sha256"),
        (("files", "model.onnx", "sha256"), "G" * 64, "sha256"),
        (("model", "precision"), "int4", "precision"),
        (("model", "width"), 0, "width"),
        (("dataset", "items"), 0, "items"),
        (("surprise",), 1, "surprise"),
        (("files",), {}, "files must be"),
        (("files",), [], "files"),
    ],
)
def test_values_that_cannot_be_are_refused(
    text: bytes, where: tuple[str, ...], value: object, message: str
) -> None:
    content = json.loads(text)
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(BundleError, match=re.escape(message)):
        parse_manifest(resealed(content))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{" * 100_000,
        b'{"format": 2}',
        b"[" * 100_000,
        b"1" * 9999,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(data)


def test_infinite_metrics_are_refused(text: bytes) -> None:
    content = json.loads(text)
    content["metrics"]["ndcg@10"] = float("nan")
    with pytest.raises(BundleError):
        parse_manifest(resealed(content))


def test_kind_is_the_configurations(text: bytes) -> None:
    manifest: Manifest = parse_manifest(text)
    assert manifest.model.kind == manifest.model.config["kind"] == "sasrec"
