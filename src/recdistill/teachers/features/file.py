"""Item vectors from a file: of images, of sounds, of whatever was turned into numbers elsewhere."""

from __future__ import annotations

from pathlib import Path

from recdistill.data.columns import ITEM
from recdistill.data.dataset import Dataset
from recdistill.data.item_vectors import item_vectors
from recdistill.data.sources.registry import under_data
from recdistill.errors import DataError
from recdistill.files import content_hash, file_sha256
from recdistill.progress import SilentProgress
from recdistill.teachers.features.source import ItemSource, Reading
from recdistill.teachers.features.vectors import read_any
from recdistill.training.options import RunOptions


class FileSource(ItemSource):
    """A file of vectors, joined to the catalogue by item id."""

    path: Path
    """A table (.parquet, .csv, .tsv, .jsonl) with item ids and numbers, in a column each or all in a column of
    lists; or arrays (.npz, .safetensors, .npy; .pt with tensors and nothing else)."""
    ids: Path | None = None
    """Where the ids of the rows are, if not in the same file: a table, or a .npy."""
    item_id: str = ITEM
    """The column, or the array, of ids."""
    columns: tuple[str, ...] = ()
    """The columns, or the array, that hold the numbers; all others when not given."""

    @property
    def title(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def besides(self) -> list[str]:
        """The content of the files.

        Raises:
            DataError: one is missing.
        """
        return [file_sha256(file) for file in self._files]

    @property
    def _files(self) -> list[Path]:
        """The vectors, and the ids where they are beside; looked for under `$RECDISTILL_DATA` too."""
        files = [under_data(file) for file in (self.path, self.ids) if file]
        for file in files:
            if not file.is_file():
                raise DataError(
                    f"There is no file {file}.",
                    "Paths start where the command runs, or at $RECDISTILL_DATA.",
                )
        return files

    def read(self, dataset: Dataset, run: RunOptions) -> Reading:
        """The vectors that the file has of the catalogue's items.

        Raises:
            DataError: the file cannot be read, or knows none of the items.
        """
        content, (path, *beside) = content_hash(self.besides), self._files
        table = read_any(path, beside[0] if beside else None, self.item_id, self.columns)
        found = item_vectors(table, dataset.vocabulary, str(self.path))
        silent = int((~found.known).sum())
        if silent or found.strangers:
            (run.progress or SilentProgress()).say(
                f"{self.path.name}: {silent} of {len(found.known)} items have no vector and count as average;"
                f" {found.strangers} vectors are of no item of the catalogue."
            )
        notes = {
            "file": content,
            "items_without_vector": silent,
            "vectors_of_other_items": found.strangers,
        }
        return Reading(found.vectors, found.known, notes)
