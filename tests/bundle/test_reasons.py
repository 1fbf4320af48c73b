"""Reasons in a bundle: only where asked for, checked like all else, and given for their own context alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from recdistill.bundle import export as export_module
from recdistill.bundle import reasons as module
from recdistill.bundle.bundle import Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.manifest import AgreementEntry, FileEntry, ReasonsEntry, parse_manifest
from recdistill.cli.app import run
from recdistill.data.dataset import Dataset
from recdistill.data.reasons import Place, Reasons, context_keys
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError
from recdistill.models.popularity import Popularity


def told(dataset: Dataset) -> Reasons:
    """Of item 0 after 5, 6; of item 1 after 6; of item 2 to everybody."""
    history = Sequences.from_lists([[9, 5, 6]])
    places = [
        Place(context_keys(history, latest, dataset.item_keys)[0], latest, item)
        for latest, item in ((2, 0), (1, 1), (0, 2))
    ]
    return Reasons.of(zip(places, ("after both", "after 6", "to all"), strict=True))


Write = Callable[[Path, Reasons], Bundle]


@pytest.fixture(scope="module")
def write(popular: Popularity, popular_onnx: bytes, tiny_dataset: Dataset) -> Iterator[Write]:
    """`write(folder, reasons)` exports the same student each time; that it answers as it should is shown elsewhere."""
    agreed = AgreementEntry(histories=1_000, near_ties=0, largest_difference=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_module, "to_onnx", lambda *_: popular_onnx)
        patch.setattr(export_module, "require_agreement", lambda *_: agreed)
        yield lambda folder, reasons: export_module.export(
            popular, tiny_dataset, folder, reasons=reasons
        )


@pytest.fixture(scope="module")
def explaining(write: Write, tiny_dataset: Dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explaining") / "bundle"
    write(folder, told(tiny_dataset))
    return folder


@pytest.fixture
def copy(explaining: Path, tmp_path: Path) -> Path:
    return shutil.copytree(explaining, tmp_path / "copy")


def resealed(folder: Path, data: bytes, count: int) -> Path:
    """Other reasons, with everything that vouches for them."""
    (folder / "reasons.parquet").write_bytes(data)
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    entry = FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    files = {**manifest.files, "reasons.parquet": entry}
    changed = {"files": files, "reasons": ReasonsEntry(count=count)}
    (folder / "manifest.json").write_text(manifest.model_copy(update=changed).render())
    return folder


def test_a_bundle_that_was_not_asked_holds_none(bundle: Bundle, bundle_folder: Path) -> None:
    assert not len(bundle.reasons)
    assert "reasons" not in (bundle_folder / "manifest.json").read_text()
    assert not (bundle_folder / "reasons.parquet").exists()
    found = bundle.explained([["i0001"]], bundle.recommend([["i0001"]]))
    assert found["why"].null_count() == len(found) == 10


def test_reasons_are_given_for_the_very_context(explaining: Path) -> None:
    bundle = load_bundle(explaining)
    histories = [["i0009", "unknown", "i0005", "i0006"], ["i0006", "i0005"], ["i0007", "i0006"], []]
    listed = bundle.recommend(histories, k=40)
    found = bundle.explained(histories, listed)
    assert found.drop("why").equals(listed)
    kept = found.filter(pl.col("why").is_not_null()).select("user_id", "item_id", "why").rows()
    assert sorted(kept) == [
        (0, "i0000", "after both"),
        (0, "i0001", "after 6"),
        (0, "i0002", "to all"),
        (1, "i0002", "to all"),
        (2, "i0001", "after 6"),
        (2, "i0002", "to all"),
        (3, "i0002", "to all"),
    ]
    assert bundle.info.reasons == ReasonsEntry(count=3)
    assert "3, in the teacher's words" in (explaining / "README.md").read_text()


def test_the_same_reasons_are_the_same_bytes_and_other_ones_another_bundle(
    explaining: Path, write: Write, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    whole = told(tiny_dataset)
    backwards = Reasons(dict(reversed([*whole.texts.items()])))
    again = write(tmp_path / "again", backwards)
    for file in explaining.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    plain = write(tmp_path / "plain", Reasons({}))
    assert plain.info.reasons is None
    assert plain.info.digest != again.info.digest


def test_there_are_no_more_than_a_bundle_may_hold(
    explaining: Path, write: Write, tiny_dataset: Dataset, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(export_module, "MOST", 2)
    whole = told(tiny_dataset)
    found = write(tmp_path / "two", whole).reasons
    assert found.texts.items() < whole.texts.items()
    assert len(found) == 2
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(explaining)


def test_every_damage_is_refused(copy: Path) -> None:
    file = copy / "reasons.parquet"
    whole = file.read_bytes()
    for place in range(0, len(whole), 37):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BundleError, match="damaged"):
            load_bundle(copy)
    file.unlink()
    with pytest.raises(BundleError, match=r"reasons\.parquet missing"):
        load_bundle(copy)
    file.write_bytes(whole)
    assert len(load_bundle(copy).reasons) == 3


def test_reasons_that_the_manifest_does_not_know_do_not_belong(
    explaining: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(bundle_folder, tmp_path / "plain")
    shutil.copy(explaining / "reasons.parquet", folder)
    with pytest.raises(BundleError, match="does not belong to a bundle: reasons"):
        load_bundle(folder)


def test_a_manifest_that_names_them_without_the_file_is_none(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    for change in (lambda one: one.pop("reasons"), lambda one: one["files"].pop("reasons.parquet")):
        content = json.loads(json.dumps(manifest))
        change(content)
        content.pop("digest")
        body = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
        content["digest"] = hashlib.sha256(body.encode()).hexdigest()
        (copy / "manifest.json").write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        )
        with pytest.raises(BundleError, match="files must be"):
            load_bundle(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.head(2), "manifest says 3"),
        (lambda table: pl.concat([table, table]), "manifest says 3"),
        (lambda table: table.drop("why"), "columns"),
        (lambda table: table.with_columns(why=pl.lit(None, dtype=pl.String)), "columns"),
        (lambda table: table.with_columns(item=pl.lit(40, dtype=pl.Int32)), "has not"),
        (lambda table: table.with_columns(item=pl.lit(-1, dtype=pl.Int32)), "has not"),
    ],
)
def test_a_table_that_is_none_is_refused(copy: Path, change, message: str) -> None:
    table = pl.read_parquet(copy / "reasons.parquet")
    change(table).write_parquet(copy / "other")
    data = (copy / "other").read_bytes()
    (copy / "other").unlink()
    with pytest.raises(BundleError, match=message):
        load_bundle(resealed(copy, data, 3))
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(resealed(copy, b"PAR1 no table", 3))


def test_what_a_terminal_would_obey_is_not_printed(copy: Path, capsys) -> None:
    table = pl.read_parquet(copy / "reasons.parquet")
    wild = table.with_columns(why=pl.lit("\x1b[2J\x07wiped\r\n" + "very " * 200))
    wild.write_parquet(copy / "other")
    data = (copy / "other").read_bytes()
    (copy / "other").unlink()
    resealed(copy, data, 3)
    assert run(["recommend", str(copy), "--history", "i0006", "-k", "40"]) == 0
    out = capsys.readouterr().out
    assert out.count("why: [2Jwiped very very") == 2
    assert not {"\x1b", "\x07", "\r"} & set(out)
    assert max(map(len, out.splitlines())) < 330


def test_the_command_line_prints_reasons_under_their_items(
    explaining: Path, bundle_folder: Path, capsys
) -> None:
    asked = ["--history", "i0005 i0006", "--history", "i0009", "-k", "39"]
    assert run(["recommend", str(explaining), *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    why = [
        (lines[place - 1].split()[:4:3], line) for place, line in enumerate(lines) if "why:" in line
    ]
    assert {(*owner, line.strip()) for owner, line in why} == {
        ("0", "i0000", "why: after both"),
        ("0", "i0001", "why: after 6"),
        ("0", "i0002", "why: to all"),
        ("1", "i0002", "why: to all"),
    }
    assert run(["recommend", str(explaining), *asked, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["why"] for one in found if one["item_id"] == "i0002"] == ["to all"] * 2
    assert run(["recommend", str(bundle_folder), *asked, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("user_id,item_id,score,rank,title\n")
