"""Reads the built page: its manifest, and the files that a browser requests, which are kept compressed."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from ...errors import RuntimeFailedError, RuntimeUnavailableError

_HARNESS = Path(__file__).parents[2] / "_harness"
#: The format of a .gz file, for zlib. Unlike the module gzip, zlib does not accept an empty file.
_GZIP = 16 + zlib.MAX_WBITS
_unpacking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Harness:
    """The built page: the folder of its files, and its manifest."""

    folder: Path
    tfjs_version: str
    litert_version: str
    files: Mapping[str, str]  # every file that a page may request, and the file in the folder that holds it
    flags: Mapping[str, str]  # every flag of TF.js, and its package in TF.js

    @classmethod
    def read(cls, folder: Path = _HARNESS) -> Self:
        """Read its manifest; RuntimeUnavailableError if it has not been built."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            return cls(
                folder,
                manifest["tfjs_version"],
                manifest.get("litert_version", ""),  # a page of a different TF.js release has no LiteRT.js
                dict(manifest["files"]),
                manifest["flags"],
            )
        except (OSError, ValueError, KeyError) as error:
            raise RuntimeUnavailableError(
                f"The page that runs TF.js is not built: {folder / 'manifest.json'}: {error}.",
                "In a checkout, run: npm ci && npm run build. If pycheck is installed, reinstall it.",
            ) from None

    def content(self, name: str) -> bytes | None:
        """Return the content of the file that a page requests as `name`; None if the build does not list it.

        The files of LiteRT.js are in one archive. The first of them takes about half a second, and then all of them,
        29 MB, stay in memory.

        RuntimeFailedError if the file cannot be read; RuntimeUnavailableError if this Python cannot decompress it.
        """
        if name not in self.files:
            return None
        file = self.folder / self.files[name]
        try:
            if file.suffix == ".gz":
                return zlib.decompress(file.read_bytes(), _GZIP)
            if file.suffix == ".xz":
                with _unpacking:
                    return _unpacked(file, file.stat().st_mtime_ns)[name]
            return file.read_bytes()
        except ImportError as error:
            raise RuntimeUnavailableError(
                f"This Python cannot decompress the files of LiteRT.js: {error}.",
                "Use a Python that has the module lzma. If you compile Python, install liblzma-dev or xz-devel first.",
            ) from None
        except OSError as error:
            raise incomplete(file, error.strerror or str(error)) from None
        except (KeyError, tarfile.TarError, zlib.error) as error:
            raise incomplete(file, str(error)) from None


def incomplete(file: Path, why: str) -> RuntimeFailedError:
    """Return the error of a file of the page that is missing or damaged."""
    return RuntimeFailedError(
        f"Cannot read a file of the page that runs TF.js: {file}: {why}.",
        "In a checkout, run: npm run build. If pycheck is installed, reinstall it.",
    )


@lru_cache(maxsize=1)
def _unpacked(archive: Path, modified_ns: int) -> Mapping[str, bytes]:
    """Return the files in an archive; `modified_ns` tells apart the archives that builds wrote to one place."""
    import lzma  # a Python that was compiled without liblzma has none, and runs TF.js

    try:
        plain = lzma.decompress(archive.read_bytes())
    except lzma.LZMAError as error:
        raise OSError(str(error)) from None
    with tarfile.open(fileobj=io.BytesIO(plain)) as packed:
        return {member.name: content.read() for member in packed if (content := packed.extractfile(member))}
