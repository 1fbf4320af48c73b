"""Where the items of a student come from that knows them by their content: the same sources as a teacher's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from recdistill.settings import KindInShort
from recdistill.teachers.features.file import FileSource
from recdistill.teachers.features.text import TextSource


class TextFeatures(TextSource):
    """Vectors that a language model makes of the items' texts."""

    kind: Literal["text"] = "text"


class FileFeatures(FileSource):
    """Vectors from a file: of images, of sounds, another company's."""

    kind: Literal["file"] = "file"


StudentFeatures = Annotated[TextFeatures | FileFeatures, Field(discriminator="kind"), KindInShort]
