"""Decides how each input is generated: by the user's options, else by the model's hints, else by its type.

And says so.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputsFileError, UsageError
from ..types import InputHint, Padding, TensorSpec, Values
from .drawing import PADDED_EVERY, UNKNOWN_EVERY, Plan
from .fitting import TEXT, check_real, model_dtype
from .sizes import usual_size

_MOST_NAMED = 5
_NO_HINT = InputHint()
_WORDS = ("one", "two", "three", "four", "five", "six", "seven")

Range = tuple[float, float]


def check_range(name: str | None, asked: Range) -> None:
    """Raise UsageError for an empty or infinite range."""
    low, high = asked
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        of = f" of input {name!r}" if name else ""
        raise UsageError(
            f"The range {low:g}:{high:g}{of} is empty or not finite.", "Give it as LOW:HIGH, such as 0:255."
        )


def plan(
    spec: TensorSpec, *, own: Range | None, common: Range | None, hint: InputHint | None, sizes: tuple[int, ...] | None
) -> Plan:
    """Plan how to generate an input: `own` is the range given for it, `common` the one for all inputs.

    `own` counts as it is; `common` is limited to the entries of a table. `sizes` are the free dimensions.
    """
    dtype = model_dtype(spec)
    check_real(spec)
    if dtype.kind not in "biuf" and spec.dtype != TEXT:
        raise InputsFileError(
            f"Cannot generate values for input {spec.name!r}: its type is {spec.dtype}.", "Give INPUTS."
        )
    if spec.dtype == TEXT and own:
        raise UsageError(f"--range {spec.name}: this input takes text.", "Remove the option, or give INPUTS.")
    hint = hint or _NO_HINT
    asked = own or common
    if dtype.kind == "f" and asked:
        _check_holds(spec, dtype, asked)
    values = tuple(
        _as_asked(value, own, common, dtype) if value.names_entries else value
        for value in hint.values
        if spec.shape or value.kind != "mask"  # a mask of one value for all samples is a flag, such as `training`
        if value.names_entries or not asked or (value.kind == "mask" and not own)
    )
    if all(value.columns for value in values):
        values = (*values, _of_a_scalar(dtype) if not spec.shape and not asked else _by_type(dtype, asked, bool(own)))
    padding = hint.padding
    if padding and own and not own[0] <= padding.value < own[1]:
        padding = None
    kind = TEXT if spec.dtype == TEXT else dtype.name
    return Plan(spec.name, kind, free_shape(spec, sizes), values, padding, whole=not spec.has_sample_axis)


def free_shape(spec: TensorSpec, sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the shape of one sample; a free dimension without a given size has the usual size."""
    free = iter(sizes or ())
    return tuple(next(free, usual_size(spec)) if size is None else size for size in spec.sample_shape)


def _check_holds(spec: TensorSpec, dtype: np.dtype[Any], asked: Range) -> None:
    low, high = asked
    largest = float(np.finfo(dtype).max)
    if max(-low, high) > largest or not math.isfinite(high - low):
        raise UsageError(
            f"The range {low:g}:{high:g} exceeds the type {dtype.name} of input {spec.name!r}.",
            f"Give a range within -{largest:.3g}:{largest:.3g}.",
        )


def _as_asked(values: Values, own: Range | None, common: Range | None, dtype: np.dtype[Any]) -> Values:
    """Limit entries of a table to the given range; a range for all inputs, such as 0:1, must leave at least two."""
    if own:
        low, high = _whole_range(own, dtype)
        return Values("whole", "--range", values.columns, low, high)
    if common and values.kind == "ids":
        low, high = max(math.ceil(common[0]), values.low), min(math.ceil(common[1]), values.high)
        return replace(values, low=low, high=high) if low + 1 < high else values
    return values


def _by_type(dtype: np.dtype[Any], asked: Range | None, by_name: bool) -> Values:
    """Choose values by type: floats uniform in [0, 1), all values of a byte, 0 and 1 for other integers."""
    if dtype.kind == "O":
        return Values("keys", "the model has no vocabulary", None, keys=_WORDS)
    if dtype.kind == "f":
        low, high = asked or (0.0, 1.0)
        return Values("uniform", "", None, low, high)
    if dtype.kind == "b":
        low, high = _whole_range(asked, dtype) if asked and by_name else (0, 2)
        return Values("whole", "", None, low, high)
    info = np.iinfo(dtype)
    if asked is None:
        low, high = (info.min, info.max + 1) if dtype.itemsize == 1 else (0, 2)
        return Values("whole", "", None, float(low), float(high))
    return Values("whole", "", None, *_whole_range(asked, dtype))


def _of_a_scalar(dtype: np.dtype[Any]) -> Values:
    """Choose the value of a scalar: False for a flag, as for prediction, and 1 for a count, as 0 may give no output."""
    if dtype.kind in "fO":
        return _by_type(dtype, None, by_name=False)
    low = 0.0 if dtype.kind == "b" else 1.0
    return Values("whole", "", None, low, low + 1)


def _whole_range(asked: Range, dtype: np.dtype[Any]) -> Range:
    """Return the integers of a range that fit the type; 0 and 1 if there is none."""
    lowest, end = -(2.0**53), 2.0**53
    if dtype.kind in "iu":
        lowest, end = max(lowest, float(np.iinfo(dtype).min)), min(end, float(np.iinfo(dtype).max) + 1)
    elif dtype.kind == "b":
        lowest, end = 0.0, 2.0
    low, high = max(float(math.ceil(asked[0])), lowest), min(float(math.ceil(asked[1])), end)
    return (low, high) if low < high else (0.0, 2.0)


# --- the note about it


def note(made: Plan, spec: TensorSpec) -> str:
    """Describe in one line the generated values, the reason for them, and their shape."""
    named: set[int] = set()
    parts = []
    for values in made.values:
        columns = values.columns
        if columns is None and named:
            columns = tuple(column for column in range(made.shape[-1]) if column not in named)
        if columns == ():
            continue
        where = f"{_listed(columns)} " if columns is not None else ""
        because = f" ({values.reason})" if values.reason else ""
        parts.append(f"{where}{_described(values, made)}{because}")
        if columns is None:
            break
        named.update(columns)
    if len(parts) > _MOST_NAMED:
        parts = [*parts[:_MOST_NAMED], f"and {len(parts) - _MOST_NAMED} groups of columns more"]
    if made.padding:
        parts.append(_padding(made.padding))
    if None in spec.sample_shape:
        parts.append(f"{'one value' if made.whole else 'samples'} of shape {made.shape} (free dimensions)")
    return f"{made.name}: {', '.join(parts)}"


def _described(values: Values, made: Plan) -> str:
    if made.dtype == "bool" and values.kind == "whole":
        return "true or false" if values.high - values.low > 1 else "true" if values.low else "false"
    match values.kind:
        case "ids":
            low, high = int(values.low), int(values.high) - 1
            if made.padding and made.padding.value == low < high:
                low += 1
            return f"whole numbers from {low} to {high}"
        case "whole":
            return f"whole numbers from {values.low:.0f} to {values.high - 1:.0f}"
        case "keys" if values.words:
            return f"texts of the {len(values.keys):,} keys of the table, and unknown words"
        case "keys" if values.keys == _WORDS:
            return f"the words {_WORDS[0]} to {_WORDS[-1]} and unknown words"
        case "keys":
            return f"the {len(values.keys):,} keys of the table, and one unknown key in {UNKNOWN_EVERY}"
        case "normal":
            return f"normal with mean {_span(values.mean)} and standard deviation {_span(values.deviation)}"
        case "bins":
            return f"numbers in all {len(values.edges) + 1} intervals around {_span(values.edges)}"
        case "mask":
            return "a mask: true or 1 first, then false or 0, at least one true"
        case _:
            return f"uniform in [{values.low:g}, {values.high:g})"


def _span(numbers: tuple[float, ...]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"


def _listed(columns: tuple[int, ...]) -> str:
    if len(columns) == 1:
        return f"column {columns[0]}"
    if columns == tuple(range(columns[0], columns[-1] + 1)):
        return f"columns {columns[0]} to {columns[-1]}"
    shown = ", ".join(map(str, columns[:_MOST_NAMED]))
    return f"columns {shown}{f' and {len(columns) - _MOST_NAMED} more' if len(columns) > _MOST_NAMED else ''}"


def _padding(padding: Padding) -> str:
    return f"{100 // PADDED_EVERY} % of the samples padded with {padding.value:g} ({padding.reason})"
