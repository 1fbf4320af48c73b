"""A bundle as one file: its files, stored in a zip, in the order of their names."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Final

_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip file can tell: the same bundle gives the same bytes."""


def packed(files: Mapping[str, bytes]) -> bytes:
    """The bytes of the zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[name])
    return stream.getvalue()
