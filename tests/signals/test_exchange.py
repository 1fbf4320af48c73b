from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recdistill.errors import SignalError
from recdistill.signals import (
    HardLabel,
    SignalReader,
    SignalWriter,
    UserVectors,
    from_parquet,
    to_parquet,
)


@pytest.fixture
def exported(stored, tmp_path):
    to_parquet(SignalReader.open(stored[0]), tmp_path / "top-k.parquet")
    return tmp_path / "top-k.parquet"


def test_others_read_the_file_as_a_table(exported, stored, made_up):
    table = pl.read_parquet(exported)
    keys = stored[1]
    np.testing.assert_array_equal(table["key"].to_numpy(), keys)
    assert table.columns == ["key", "items", "logits", "rest"]
    np.testing.assert_array_equal(table["items"].to_numpy(), made_up[1](keys)["items"])


def test_what_comes_back_is_what_went_out(exported, stored, tmp_path):
    original, back = SignalReader.open(stored[0]), from_parquet(exported, tmp_path / "back")
    keys = stored[1]
    one, other = original.read(original.find(keys)), back.read(back.find(keys))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert back.manifest.teacher == original.manifest.teacher
    assert back.kind == original.kind
    back.verify()


@pytest.mark.parametrize("kind", [HardLabel(), UserVectors()])
def test_every_shape_of_field_travels(kind, manifest, made_up, tmp_path):
    keys = made_up[0](20)
    columns = {
        field.name: np.arange(20 * int(np.prod(field.shape)))
        .reshape(20, *field.shape)
        .astype(field.dtype)
        for field in kind.fields(300, 8)
    }
    writer = SignalWriter.create(tmp_path / "s", manifest(kind))
    writer.append(keys, columns)
    writer.finish()
    to_parquet(SignalReader.open(tmp_path / "s"), tmp_path / "s.parquet")
    back = from_parquet(tmp_path / "s.parquet", tmp_path / "back")
    read = back.read(back.find(keys))
    for name, values in columns.items():
        np.testing.assert_array_equal(read[name], values)


def test_what_a_teacher_was_silent_about_travels(manifest, made_up, tmp_path):
    keys = made_up[0](50)
    writer = SignalWriter.create(tmp_path / "one", manifest(), shard_rows=20)
    columns = made_up[1](keys)
    for part in (slice(0, 20), slice(20, 40), slice(40, 50)):
        some = {name: values[part] for name, values in columns.items()}
        writer.append(keys[part], some, {"refused": 2} if part.start else {})
    writer.finish()
    original = SignalReader.open(tmp_path / "one")
    assert [shard.silent for shard in original.manifest.shards] == [
        {},
        {"refused": 2},
        {"refused": 2},
    ]
    to_parquet(original, tmp_path / "one.parquet")
    assert from_parquet(tmp_path / "one.parquet", tmp_path / "two").manifest.silent == {
        "refused": 4
    }


def test_a_signal_of_nothing_travels_too(manifest, tmp_path):
    SignalWriter.create(tmp_path / "s", manifest()).finish()
    to_parquet(SignalReader.open(tmp_path / "s"), tmp_path / "s.parquet")
    assert len(from_parquet(tmp_path / "s.parquet", tmp_path / "back")) == 0


def test_minus_infinity_travels(manifest, tmp_path):
    writer = SignalWriter.create(tmp_path / "s", manifest())
    writer.append(
        np.array([1], dtype=np.uint64),
        {
            "items": np.arange(5, dtype=np.int32)[None],
            "logits": np.zeros((1, 5)),
            "rest": np.array([-np.inf]),
        },
    )
    writer.finish()
    to_parquet(SignalReader.open(tmp_path / "s"), tmp_path / "s.parquet")
    back = from_parquet(tmp_path / "s.parquet", tmp_path / "back")
    assert back.read(np.array([0]))["rest"][0] == -np.inf


def test_a_table_of_unknown_origin_is_refused(tmp_path):
    pl.DataFrame({"key": [1]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(SignalError, match="does not say whose signals"):
        from_parquet(tmp_path / "x.parquet", tmp_path / "back")


def test_a_damaged_file_is_refused(exported, tmp_path):
    exported.write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(SignalError, match="cannot be read"):
        from_parquet(exported, tmp_path / "back")


def test_a_file_without_one_of_the_fields_is_refused(exported, tmp_path):
    import pyarrow.parquet as pq

    table = pq.read_table(exported)
    pq.write_table(table.drop_columns(["rest"]), exported)
    with pytest.raises(SignalError, match="cannot be read"):
        from_parquet(exported, tmp_path / "back")
