"""Reads and writes the flatbuffer of a .tflite file as objects of TensorFlow Lite's schema.

The classes of the schema come from the installed TensorFlow, which generated them. They are imported by their file,
because ``import tensorflow`` takes seconds.
"""

from __future__ import annotations

import functools
import importlib.util
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArtifactFileError
from ...system import installed

IDENTIFIER = b"TFL3"

_SCHEMA = "lite/python/schema_py_generated.py"
_AGAIN = "Copy the file again, or convert the model again."
#: The errors with which the generated classes answer offsets, lengths and types that are not in the file.
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError)


class _Bytes(bytearray):
    """The bytes of a file; a slice beyond the end is an error, where a bytearray returns fewer bytes."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and (key.stop or 0) > len(self):
            raise IndexError(f"byte {key.stop} of {len(self)}")
        return super().__getitem__(key)


@functools.cache
def schema() -> Any:
    """Import the classes of schema.fbs; InstallationError if TensorFlow is not installed or lacks them."""
    if problem := installed.tensorflow_problem():
        raise problem
    found = importlib.util.find_spec("tensorflow")
    places = list(found.submodule_search_locations or ()) if found else []
    file = next((file for place in places if (file := Path(place, _SCHEMA)).is_file()), None)
    with installed.importing("tensorflow"):
        if file is None:
            raise ImportError(f"it has no {_SCHEMA}")
        spec = importlib.util.spec_from_file_location("pycheck_tflite_schema", file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # the classes find one another by their module
        spec.loader.exec_module(module)
        return module


def unpack(content: bytes, name: str) -> Any:
    """Return the ``ModelT`` in `content`. ArtifactFileError if it is not a flatbuffer of the schema, or damaged.

    Weights that follow the flatbuffer, as in files beyond 2 GB, become part of it. `name` names the file in messages.
    """
    if content[4:8] != IDENTIFIER:
        raise ArtifactFileError(
            f"{name} is not a .tflite file: bytes 4 to 8 are {content[4:8]!r}, not {IDENTIFIER!r}.",
            "Give a file that the TensorFlow Lite converter wrote, or convert a model: "
            "pycheck convert MODEL FOLDER --format tflite",
        )
    try:
        model = schema().ModelT.InitFromPackedBuf(_Bytes(content), 0)
        for buffer in model.buffers or ():
            if buffer.offset > 1:  # 0 and 1 mean: no such weights
                buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
                buffer.offset = buffer.size = 0
    except _DAMAGE as error:
        raise ArtifactFileError(
            f"{name} is damaged: its flatbuffer refers to parts beyond its {len(content):,} bytes, or to none.",
            _AGAIN,
        ) from error
    return model


def pack(model: Any) -> bytes:
    """Return the flatbuffer of a ``ModelT``."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
