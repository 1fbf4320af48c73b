"""Vectors join the catalogue by id, whatever the file and its order; what could mislead is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from recdistill.data.item_vectors import item_vectors
from recdistill.data.vector_files import VectorTable, read_vectors
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError

NUMBERS = [7, 11, 2]
VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]], dtype=np.float32)


def write_columns(path):
    pl.DataFrame({"a": VECTORS[:, 0], "item_id": NUMBERS, "b": VECTORS[:, 1]}).write_parquet(path)


def write_lists(path):
    pl.DataFrame({"item_id": NUMBERS, "vector": VECTORS.tolist()}).write_parquet(path)


def write_csv(path):
    path.write_text("item_id,a,b\n7,1,2\n11,3.0,4\n2,5,6.5\n")


def write_lines(path):
    path.write_text(
        '{"item_id": 7, "v": [1, 2]}\n{"item_id": 11, "v": [3, 4]}\n{"item_id": 2, "v": [5, 6.5]}\n'
    )


def write_npz(path):
    np.savez(path, item_id=np.array(["7", "11", "2"]), vectors=VECTORS.astype(np.float64))


def write_safetensors(path):
    save_file({"item_id": np.array(NUMBERS), "vectors": VECTORS.astype(np.float16)}, path)


WRITERS = {
    "columns.parquet": write_columns,
    "lists.parquet": write_lists,
    "vectors.csv": write_csv,
    "vectors.jsonl": write_lines,
    "vectors.npz": write_npz,
    "vectors.safetensors": write_safetensors,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("ids", [[2, 5, 7, 9, 11], ["11", "2", "5", "7", "9"]])
def test_every_format_says_the_same(name, ids, tmp_path):
    WRITERS[name](tmp_path / name)
    found = item_vectors(read_vectors(tmp_path / name), Vocabulary(pl.Series(ids)), name)
    by_id = dict(zip(map(str, ids), found.vectors.tolist(), strict=True))
    assert by_id == {"2": [5, 6.5], "5": [0, 0], "7": [1, 2], "9": [0, 0], "11": [3, 4]}
    assert [str(one) for one, known in zip(ids, found.known, strict=True) if not known] == [
        "5",
        "9",
    ]
    assert found.strangers == 0


@pytest.mark.parametrize("beside", ["ids.npy", "ids.csv"])
def test_ids_may_lie_in_a_file_of_their_own(beside, tmp_path):
    np.save(tmp_path / "vectors.npy", VECTORS)
    if beside.endswith("npy"):
        np.save(tmp_path / beside, np.array(NUMBERS))
    else:
        pl.DataFrame({"item_id": NUMBERS}).write_csv(tmp_path / beside)
    table = read_vectors(tmp_path / "vectors.npy", tmp_path / beside)
    assert [str(one) for one in table.ids] == ["7", "11", "2"]
    assert np.array_equal(table.vectors, VECTORS)


@given(st.permutations(range(8)), st.integers(0, 5))
def test_the_order_of_rows_does_not_matter(order, strangers):
    """Against a loop: each item's row is the one that bears its id."""
    ids = [f"i{number}" for number in range(8)] + [f"x{number}" for number in range(strangers)]
    rows = [*order, *range(8, 8 + strangers)]
    vectors = np.random.default_rng(0).normal(size=(len(ids), 3)).astype(np.float32)
    table = VectorTable(pl.Series([ids[row] for row in rows]), vectors[rows])
    catalogue = pl.Series(["i1", "i3", "i9"])
    found = item_vectors(table, Vocabulary(catalogue), "a file")
    for place, name in enumerate(catalogue):
        expected = vectors[ids.index(name)] if name in ids else np.zeros(3)
        assert np.array_equal(found.vectors[place], expected)
    assert found.strangers == len(ids) - 2


def test_columns_may_be_chosen(tmp_path):
    path = tmp_path / "wide.parquet"
    pl.DataFrame({"film": NUMBERS, "title": ["a", "b", "c"], "x": [1, 2, 3]}).write_parquet(path)
    table = read_vectors(path, item_id="film", names=("x",))
    assert table.vectors.tolist() == [[1], [2], [3]]
    with pytest.raises(DataError, match="not all finite numbers, the first that of item '7'"):
        item_vectors(read_vectors(path, item_id="film"), Vocabulary(pl.Series([2, 7])), "wide")
    with pytest.raises(DataError, match="'title'"):
        read_vectors(path, item_id="film", names=("titel",))


def of(ids, vectors):
    table = VectorTable(pl.Series(ids), np.array(vectors, dtype=np.float32))
    return item_vectors(table, Vocabulary(pl.Series([1, 2, 3])), "the file")


@pytest.mark.parametrize(
    ("ids", "vectors", "complaint"),
    [
        ([8, 9], [[1, 2], [3, 4]], "no vector of any item .* 8, 9…, the catalogue's 1, 2, 3…"),
        ([1, 2], [[1, 2], [3, np.nan]], "1 vectors that are not all finite.*'2'"),
        ([1, 2], [[np.inf, 2], [3, 4]], "not all finite.*'1'"),
        ([1, 2, 1], [[1, 2], [3, 4], [5, 6]], "several vectors of item '1'"),
        ([1, 2, 9], [[1, 2], [1, 2], [3, 4]], "alike"),
    ],
)
def test_vectors_that_would_mislead_are_refused(ids, vectors, complaint):
    with pytest.raises(DataError, match=complaint):
        of(ids, vectors)


def refused(tmp_path, name, write, **options):
    write(tmp_path / name)
    with pytest.raises(DataError) as caught:
        read_vectors(tmp_path / name, **options)
    return caught.value.message


def test_files_that_cannot_be_trusted_are_refused(tmp_path):
    say = lambda name, write, **options: refused(tmp_path, name, write, **options)  # noqa: E731
    assert "does not say whose" in say("a.npy", lambda at: np.save(at, VECTORS))
    assert "does not say whose" in say("b.safetensors", lambda at: save_file({"v": VECTORS}, at))
    assert "may be pickled" in say("c.pt", lambda at: at.write_bytes(b"x"))
    objects = np.array([{"a": 1}], dtype=object)
    assert "cannot be read" in say("d.npy", lambda at: np.save(at, objects, allow_pickle=True))
    assert "cannot be read" in say("e.safetensors", lambda at: at.write_bytes(b"nothing"))
    assert "cannot be read" in say("f.npz", lambda at: at.write_bytes(b"PK nothing"))
    ragged = pl.DataFrame({"item_id": [1, 2], "v": [[1.0], [1.0, 2.0]]})
    assert "of 1 and of 2 numbers" in say("g.parquet", ragged.write_parquet)
    assert "unknown format" in say("h.xyz", lambda at: at.write_bytes(b"x"))
    two = {"item_id": np.array(NUMBERS), "one": VECTORS, "other": VECTORS}
    assert "several arrays" in say("i.safetensors", lambda at: save_file(two, at))
    few = {"item_id": np.array([1, 2]), "one": VECTORS}
    assert "2 item ids and vectors of the shape (3, 2)" in say(
        "j.safetensors", lambda at: save_file(few, at)
    )
    texts = {"item_id": np.array(NUMBERS), "one": np.array([["a"], ["b"], ["c"]])}
    assert "where numbers should be" in say("k.npz", lambda at: np.savez(at, **texts))
    with pytest.raises(DataError, match="There is no file"):
        read_vectors(tmp_path / "nowhere.npz")
