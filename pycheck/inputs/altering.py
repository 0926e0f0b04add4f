"""Scales or clips the floating-point values of inputs, as a stream like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..types import Array
from .stream import Chunks, Inputs


def altered(inputs: Inputs, *, factors: Mapping[str, float], limits: Mapping[str, float]) -> Inputs:
    """Alter inputs by name: `factors` multiply, `limits` bound the magnitude. NaN and types stay unchanged.

    ValueError for an input that does not exist.
    """
    if unknown := sorted({*factors, *limits} - inputs.columns.keys()):
        raise ValueError(f"The model has no input {', '.join(unknown)}.")
    columns = dict(inputs.columns)
    for name, factor in factors.items():
        columns[name] = _through(columns[name], _times(factor))
    for name, limit in limits.items():
        columns[name] = _through(columns[name], _clip(limit))
    change = f"{inputs.info.sha256}|{sorted(factors.items())}|{sorted(limits.items())}"
    info = replace(inputs.info, sha256=hashlib.sha256(change.encode()).hexdigest())
    return replace(inputs, info=info, columns=columns)


def _times(factor: float) -> Callable[[Array], Array]:
    return lambda values: np.asarray(values * factor, values.dtype)


def _clip(limit: float) -> Callable[[Array], Array]:
    return lambda values: np.asarray(np.clip(values, -limit, limit), values.dtype)


def _through(chunks: Chunks, change: Callable[[Array], Array]) -> Chunks:
    def changed(size: int) -> Iterator[Array]:
        return (change(block) for block in chunks(size))

    return changed
