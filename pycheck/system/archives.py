"""Reads zip archives, such as .keras and .npz files."""

from __future__ import annotations

import lzma
import zipfile
import zlib

#: The errors of zipfile for an archive that is damaged, encrypted (RuntimeError) or in an unknown format.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    UnicodeDecodeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
