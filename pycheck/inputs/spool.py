"""Collects samples on disk as they are made, and gives them as columns that are read a few rows at a time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputsFileError
from ..types import Array, Signature
from .files import Column


class Spool:
    """Samples by input name, in a folder: one file of raw rows for each input."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self.count = 0

    def add(self, sample: Mapping[str, Array]) -> None:
        """Add one sample; the first decides the names, shapes and types. InputsFileError for another one."""
        if not self.count:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._shapes = {name: value.shape for name, value in sample.items()}
            self._dtypes = {name: value.dtype for name, value in sample.items()}
        self._check(sample)
        for name, value in sample.items():
            data = np.ascontiguousarray(value).tobytes()
            with self._file(name).open("ab") as file:
                file.write(data)
        self.count += 1

    def _check(self, sample: Mapping[str, Array]) -> None:
        if sample.keys() != self._shapes.keys():
            raise InputsFileError(f"it gives {_names(sample)}, and the first file gave {_names(self._shapes)}")
        for name, value in sample.items():
            if value.shape != self._shapes[name]:
                raise InputsFileError(
                    f"its {name or 'array'} has shape {list(value.shape)}, and that of the first file has "
                    f"{list(self._shapes[name])}"
                )
            if value.dtype != self._dtypes[name]:
                raise InputsFileError(
                    f"its {name or 'array'} is {value.dtype}, and that of the first file is {self._dtypes[name]}"
                )

    @property
    def dtypes(self) -> Mapping[str, np.dtype[Any]]:
        """Return the types of the arrays."""
        return self._dtypes

    def digest(self, chosen: Sequence[int]) -> str:
        """Return the SHA-256 of the samples with these numbers."""
        made = hashlib.sha256()
        for column in self.columns(chosen):
            made.update(f"{column.name}|{column.dtype.str}|{column.shape}|".encode())
            for block in column.rows(1):
                made.update(block.data)
        return made.hexdigest()

    def columns(self, chosen: Sequence[int]) -> tuple[Column, ...]:
        """Return the samples with these numbers, as arrays whose first axis is the sample."""
        return tuple(self._column(name, chosen) for name in self._shapes)

    def _column(self, name: str, chosen: Sequence[int]) -> Column:
        shape, dtype = self._shapes[name], self._dtypes[name]
        row_bytes = math.prod(shape) * dtype.itemsize

        def row(file: IO[bytes], number: int) -> Array:
            file.seek(number * row_bytes)
            return np.frombuffer(file.read(row_bytes), dtype).reshape(shape)

        def rows(size: int) -> Iterator[Array]:
            with self._file(name).open("rb") as file:
                for start in range(0, len(chosen), size):
                    yield np.stack([row(file, number) for number in chosen[start : start + size]])

        return Column(name, dtype, (len(chosen), *shape), rows)

    def _file(self, name: str) -> Path:
        return self._folder / f"{list(self._shapes).index(name)}.bin"


def sample_of(value: Any, signature: Signature) -> dict[str, Array]:
    """Return one sample by input name, from what the user's code gives for a file: an array, or arrays by name.

    An axis of one sample in front is removed. InputsFileError, with a clause, if it is neither.
    """
    given = dict(value) if isinstance(value, Mapping) else {"": value}
    ranks = {spec.name: len(spec.shape) for spec in signature.inputs}
    alone = len(ranks) == 1
    made = {}
    for name, item in given.items():
        try:
            array = np.asarray(item)
        except (ValueError, TypeError) as error:
            raise InputsFileError(f"its result is no array: {error}") from error
        if array.dtype.hasobject or array.dtype.kind not in "biufUS":
            raise InputsFileError(
                f"its result is {type(item).__name__} of {array.dtype}, not an array of numbers or texts"
            )
        rank = next(iter(ranks.values())) if alone else ranks.get(str(name))
        if rank is not None and array.ndim == rank and array.shape[:1] == (1,):
            array = array[0]
        made[str(name)] = array
    return made


def _names(named: Mapping[str, Any]) -> str:
    return ", ".join(name or "one array" for name in named) or "nothing"
