"""Checks a data file on its own: NaN and infinity, outliers, scale, columns, types, range; returns findings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..diagnosis import by_severity
from ..diagnosis.case import Case, listed, number
from ..diagnosis.causes import input_scale
from ..diagnosis.codes import finding
from ..errors import InputsFileError
from ..inputs.files import Column, open_columns
from ..inputs.scale import ScaleSketch
from ..types import Array, Evidence, Finding, InputScale, Severity

_ROWS = 1024
_MOST_COLUMNS = 4096
_MOST_NAMED = 5
_LARGEST_HALF, _SMALLEST_HALF = 65504.0, 2.0**-24
#: The types that TF.js holds without a conversion.
_TFJS_TYPES = ("float32", "int32", "bool")


@dataclass(frozen=True, slots=True)
class DataSummary:
    """One array of a file; magnitudes are of finite values that are not 0."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nan_count: int
    infinity_count: int
    smallest: float | None
    largest: float | None


@dataclass(frozen=True, slots=True)
class Hygiene:
    """The summary and the findings of a file."""

    path: str
    arrays: tuple[DataSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Tell whether no finding is an error."""
        return not any(found.severity is Severity.ERROR for found in self.findings)


def examine(path: Path) -> Hygiene:
    """Read a .npy, .npz or .safetensors file once, a few rows at a time. InputsFileError for other files."""
    arrays: list[DataSummary] = []
    findings: list[Finding] = []
    for column in open_columns(path):
        if column.dtype.kind not in "biuf":
            raise InputsFileError(
                f"{path}: {column.name or 'the array'} is {column.dtype}, not numbers.", "Save it as numbers."
            )
        if not column.shape or 0 in column.shape:
            raise InputsFileError(
                f"{path}: {column.name or 'the array'} has no elements: its shape is {column.shape}.", "Give values."
            )
        look = _Look(column)
        arrays.append(look.summary())
        findings += look.findings()
    return Hygiene(str(path), tuple(arrays), by_severity(findings))


class _Look:
    """One array, read once."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._name = column.name or "the array"
        self._nan = self._infinity = 0
        self._first: tuple[int, ...] | None = None
        self._low, self._high = np.inf, 0.0
        self._sketch: ScaleSketch | None = None
        shape = column.shape
        self._columns = shape[-1] if len(shape) > 1 and shape[-1] <= _MOST_COLUMNS else 1
        self._hashes = [hashlib.blake2b(digest_size=16) for _ in range(self._columns)]
        start = 0
        for block in column.rows(_ROWS):
            self._add(block, start)
            start += len(block)

    def _add(self, block: Array, start: int) -> None:
        table = np.ascontiguousarray(block.reshape(-1, self._columns).T)
        for digest, values in zip(self._hashes, table, strict=True):
            digest.update(values.tobytes())
        if block.dtype.kind != "f":
            magnitude = np.abs(block.astype(np.float64))
        else:
            bad = ~np.isfinite(block)
            if bad.any() and self._first is None:
                sample, *rest = (int(i) for i in np.argwhere(bad)[0])
                self._first = (start + sample, *rest)
            self._nan += int(np.count_nonzero(np.isnan(block)))
            self._infinity += int(np.count_nonzero(np.isinf(block)))
            magnitude = np.abs(block[~bad].astype(np.float64))
            sketch = ScaleSketch.of(block, start, self._sketch.rows if self._sketch else 0)
            self._sketch = self._sketch.merge(sketch) if self._sketch else sketch
        some = magnitude[magnitude > 0]
        self._low = min(self._low, float(some.min(initial=np.inf)))
        self._high = max(self._high, float(some.max(initial=0.0)))

    def summary(self) -> DataSummary:
        low, high = (self._low, self._high) if self._high else (None, None)
        return DataSummary(
            self._column.name, self._column.dtype.name, self._column.shape, self._nan, self._infinity, low, high
        )

    def findings(self) -> Iterator[Finding]:
        scale = self._sketch.summary(self._name) if self._sketch else None
        yield from self._nonfinite()
        if scale:
            yield from input_scale(Case((), evidence=Evidence(scales=(scale,))))
        yield from self._of_columns(scale)
        yield from self._of_range()
        yield from self._of_type()

    def _nonfinite(self) -> Iterator[Finding]:
        if self._first is None:
            return
        sample, *index = self._first
        kinds = listed([f"{n:,} {kind}" for n, kind in ((self._nan, "NaN"), (self._infinity, "infinite")) if n])
        yield finding(
            "nan-in-data", Severity.ERROR, tensor=self._name,
            summary=f"{self._name} holds {kinds} among {np.prod(self._column.shape):,} numbers, first at sample "
            f"{sample} {index}.",
            advice="Remove such samples, or replace the values by the column's median, in training and at prediction.",
            evidence={"nan": self._nan, "infinite": self._infinity, "sample": sample, "index": index},
        )  # fmt: skip

    def _of_columns(self, scale: InputScale | None) -> Iterator[Finding]:
        constant = list(scale.constant_columns) if scale else []
        alike: dict[bytes, list[int]] = {}
        for index, digest in enumerate(self._hashes):
            alike.setdefault(digest.digest(), []).append(index)
        groups = [group for group in alike.values() if len(group) > 1 and not set(group) <= set(constant)]
        remarks = [f"{_columns(constant)} the same value in every sample"] if constant else []
        remarks += [f"columns {listed(group[: _MOST_NAMED + 1])} are identical" for group in groups[:_MOST_NAMED]]
        if remarks:
            yield finding(
                "data-columns", Severity.INFO, tensor=self._name, summary=f"{self._name}: {'; '.join(remarks)}.",
                advice="Remove constant and duplicate columns: scaling divides a constant column by 0.",
                evidence={"constant": constant, "duplicates": groups},
            )  # fmt: skip

    def _of_range(self) -> Iterator[Finding]:
        parts = []
        if self._high > _LARGEST_HALF:
            parts.append(f"{number(self._high)} overflows to infinity (beyond 65504)")
        if 0 < self._low < _SMALLEST_HALF:
            parts.append(f"{number(self._low)} underflows to 0 (below 6e-8)")
        if parts:
            yield finding(
                "data-range", Severity.INFO, tensor=self._name,
                summary=f"{self._name}: on GPUs that store float16, {' and '.join(parts)}.",
                advice="Scale each feature to about -1 to 1 before the model.",
                evidence={"smallest": self._low, "largest": self._high},
            )  # fmt: skip

    def _of_type(self) -> Iterator[Finding]:
        dtype = self._column.dtype.newbyteorder("=").name
        if dtype in _TFJS_TYPES:
            return
        becomes = "float32" if self._column.dtype.kind == "f" else "int32"
        yield finding(
            "data-type", Severity.INFO, tensor=self._name,
            summary=f"{self._name} is {dtype}, which TF.js does not support and converts to {becomes}.",
            advice=f"Save the array as {becomes}, so that Python computes with the same numbers.",
            evidence={"dtype": dtype, "becomes": becomes},
        )  # fmt: skip


def _columns(columns: list[int]) -> str:
    named: list[Any] = [*columns[:_MOST_NAMED]]
    named += [f"{len(columns) - _MOST_NAMED} more"] if len(columns) > _MOST_NAMED else []
    return f"{'column' if len(columns) == 1 else 'columns'} {listed(named)} {'has' if len(columns) == 1 else 'have'}"
