"""What a bundle says of itself: identity, shape, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from recdistill.compression.settings import Integers
from recdistill.errors import BundleError
from recdistill.settings import Settings

FORMAT = 2
MANIFEST, MODEL, TABLE = "manifest.json", "model.onnx", "table.safetensors"
ITEMS, CARD = "items.parquet", "README.md"
CONTENTS = (MODEL, TABLE, ITEMS, CARD)
"""The files of a bundle of this format beside its manifest: these, no fewer, and no more but the `OPTIONAL`."""
REASONS, INDEX = "reasons.parquet", "index.safetensors"
SIGNATURE = "manifest.sig"
"""Beside the manifest, which cannot hold it; any bundle may have one."""
OPTIONAL = {"reasons": REASONS, "index": INDEX}
"""Files of bundles whose manifest has that entry: why the teacher said what it said, and codes for a quick answer."""

Precision = Literal["float32", "float16", "int8"]
"""In what numbers weights are kept."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Settings):
    """What a file must be."""

    sha256: Sha256
    size: NonNegativeInt


class ModelEntry(Settings):
    """Which model it is.

    Attributes:
        config: its hyper-parameters, with their `kind`.
        weights: SHA-256 over the names, shapes and bytes of its tensors.
        history: how many of the latest items it sees; `None` for all.
        width: of an item vector.
        precision: in what numbers the item table and the layers' matrices are kept.
        encoder: how products of the layers are computed in whole numbers; absent where they are not.
    """

    config: dict[str, Any]
    weights: Sha256
    history: PositiveInt | None = None
    width: PositiveInt
    precision: Precision
    encoder: Integers | None = None

    @property
    def kind(self) -> str:
        """The kind of model, as in configurations."""
        return str(self.config.get("kind"))


class DatasetEntry(Settings):
    """What it was trained on."""

    name: str
    fingerprint: str
    items: PositiveInt
    users: NonNegativeInt
    events: NonNegativeInt


class AgreementEntry(Settings):
    """How far the file answers as PyTorch does: histories compared, and those whose top ten hold a near-tie."""

    histories: PositiveInt
    near_ties: NonNegativeInt
    largest_difference: float


class NarrowingEntry(Settings):
    """What fewer bits did: the mean share of the float32 student's top ten that its lists still hold."""

    histories: PositiveInt
    kept: float


class ReasonsEntry(Settings):
    """What the teacher gave as reasons."""

    count: PositiveInt


class IndexEntry(Settings):
    """The index, and what was measured of it when it was made.

    Attributes:
        piece: how many numbers of a vector share a code.
        depth: how many items that it gives for a list of up to twenty are scored again.
        states: that were asked about, for a list of twenty.
        recall: the mean share of the exact lists that it finds.
        milliseconds: it takes, in the median, beside `exact_milliseconds` of the exact scan.
    """

    piece: PositiveInt
    depth: PositiveInt
    states: PositiveInt
    recall: float
    milliseconds: float
    exact_milliseconds: float


class ListsEntry(Settings):
    """Whom its lists show: the top tens of some histories, without what these hold.

    Attributes:
        histories: that were asked about.
        coverage: the share of the catalogue that stands in any of the lists.
        popular: the share of their places that the most popular tenth of the items has.
        popular_events: the share of the training events that these items have.
    """

    histories: PositiveInt
    coverage: float
    popular: float
    popular_events: float


class AboutEntry(Settings):
    """What people say of it, in their words; absent where they said nothing.

    Attributes:
        teacher: who taught it.
        teacher_licence: under what terms the teacher may be learned from.
        data_licence: under what terms the data may be used.
        intended_use: what it is for, and what not.
    """

    teacher: str | None = None
    teacher_licence: str | None = None
    data_licence: str | None = None
    intended_use: str | None = None


class Manifest(Settings):
    """`manifest.json`.

    Attributes:
        recdistill: the version that wrote it.
        created: when, if the writer was told; absent otherwise, so that the same input gives the same bytes.
        metrics: what was measured of the model, by name.
        narrowing: absent where the precision is float32.
        lists: whom its lists show.
        about: absent where nobody said anything.
        reasons: absent where the bundle holds none.
        index: absent where every item is looked at.
    """

    format: PositiveInt
    recdistill: str
    created: str | None = None
    model: ModelEntry
    dataset: DatasetEntry
    metrics: dict[str, float] = Field(default_factory=dict)
    agreement: AgreementEntry
    narrowing: NarrowingEntry | None = None
    lists: ListsEntry | None = None
    about: AboutEntry | None = None
    reasons: ReasonsEntry | None = None
    index: IndexEntry | None = None
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _known_files(self) -> Self:
        more = (file for entry, file in OPTIONAL.items() if getattr(self, entry))
        expected = (*CONTENTS, *more)
        if sorted(self.files) != sorted(expected):
            raise ValueError(
                f"files must be {', '.join(expected)}, not {', '.join(self.files) or 'none'}"
            )
        return self

    def render(self) -> str:
        """The text of `manifest.json`: canonical, closed by a digest of everything above it."""
        return _render(self.model_dump(mode="json", exclude_none=True))

    @property
    def digest(self) -> str:
        """SHA-256 over the manifest and so, through its checksums, over the bundle: the bundle's name."""
        return str(json.loads(self.render())["digest"])


def _render(content: dict[str, Any]) -> str:
    body = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    digest = hashlib.sha256(body.encode()).hexdigest()
    closed = dict(sorted(content.items())) | {"digest": digest}
    return json.dumps(closed, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest that must be, to the byte, what `render` writes.

    Raises:
        BundleError: damaged, edited, of another format, or not a manifest.
    """
    content = _object(data)
    if content.get("format") != FORMAT:
        raise BundleError(
            f"The bundle has format {content.get('format')!r}; this version reads {FORMAT}.",
            "Export it again, or install the version of recdistill that wrote it.",
        )
    content.pop("digest", None)
    try:
        manifest = Manifest.model_validate(content)
        rendered = manifest.render()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{MANIFEST}: {where}: {first['msg']}.", "Export the bundle again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not valid: {error}.") from None
    if rendered.encode("utf-8", "surrogatepass") != data:
        raise BundleError(
            f"{MANIFEST} was changed after it was written.", "Copy or export the bundle again."
        )
    return manifest


def _object(data: bytes) -> dict[str, Any]:
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not valid JSON: {error}.") from None
    if not isinstance(content, dict):
        raise BundleError(f"{MANIFEST} is not a JSON object.")
    return content
