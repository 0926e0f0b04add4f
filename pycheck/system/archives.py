"""Zip archives, in which .keras and .npz files are."""

from __future__ import annotations

import lzma
import zipfile
import zlib

#: What zipfile raises at an archive that is damaged, encrypted (RuntimeError) or packed in a way that it does not know.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    UnicodeDecodeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
