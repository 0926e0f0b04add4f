"""The values that a model expects of each input."""

from __future__ import annotations

from dataclasses import dataclass

#: The ways to generate the values of an input:
#: ids: integers from `low` to below `high`, each of which is an index of a table.
#: keys: the `keys` of a lookup table, and now and then an unknown one.
#: whole, uniform: integers, and any numbers, from `low` to below `high`.
#: normal: around `mean` with the standard deviation `deviation`, one of each for every column.
#: bins: numbers that fall into each of the intervals between `edges`, and beyond the outermost.
#: mask: ones, then zeros; at least a single one.
VALUE_KINDS = ("ids", "keys", "whole", "uniform", "normal", "bins", "mask")


@dataclass(frozen=True, slots=True)
class Values:
    """The values of some columns of an input.

    A column is one index of the last axis, None stands for the whole input.
    """

    kind: str
    reason: str  # such as "rows of embedding"
    columns: tuple[int, ...] | None = None
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    keys: tuple[int | float | str, ...] = ()
    words: bool = False  # the model splits a text into keys
    any_below: bool = False  # of ids: the model itself keeps smaller numbers within the table, by a clip or a modulo
    any_above: bool = False

    @property
    def names_entries(self) -> bool:
        """Tell whether a number is an index of a table, so that its size has no meaning."""
        return self.kind in ("ids", "keys")


@dataclass(frozen=True, slots=True)
class Padding:
    """A value that the model masks. `axis`, counted from the end, is the one along which samples are padded."""

    value: float
    axis: int
    reason: str


@dataclass(frozen=True, slots=True)
class InputHint:
    """The values that the model expects of one input; columns without `values` may hold anything."""

    values: tuple[Values, ...] = ()
    padding: Padding | None = None

    @property
    def entry_columns(self) -> tuple[int, ...] | None:
        """Return the columns that hold indices of tables; None for all columns."""
        named = [values.columns for values in self.values if values.names_entries]
        known = [columns for columns in named if columns is not None]
        return None if len(known) < len(named) else tuple(sorted({column for columns in known for column in columns}))
