"""What a model says of the values that it takes, input by input."""

from __future__ import annotations

from dataclasses import dataclass

#: How the values of an input are drawn.
#: ids: whole numbers from `low` to below `high`, each of which names an entry of a table.
#: keys: the `keys` of a lookup table, and now and then one that it does not have.
#: whole, uniform: whole numbers, and any numbers, from `low` to below `high`.
#: normal: around `mean` with the standard deviation `deviation`, one of each for every column.
#: bins: numbers that fall into each of the intervals between `edges`, and beyond the outermost.
#: mask: ones, then zeros; at least one one.
VALUE_KINDS = ("ids", "keys", "whole", "uniform", "normal", "bins", "mask")


@dataclass(frozen=True, slots=True)
class Values:
    """What some columns of an input hold; a column is one index of the last axis, None stands for the whole input."""

    kind: str
    reason: str  # such as "rows of embedding"
    columns: tuple[int, ...] | None = None
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    keys: tuple[int | float | str, ...] = ()
    words: bool = False  # keys that the model finds by splitting a text

    @property
    def names_entries(self) -> bool:
        """Whether a number stands for an entry of a table: its size means nothing."""
        return self.kind in ("ids", "keys")


@dataclass(frozen=True, slots=True)
class Padding:
    """A value that the model masks. `axis`, counted from the end, is the one along which samples end earlier."""

    value: float
    axis: int
    reason: str


@dataclass(frozen=True, slots=True)
class InputHint:
    """What the model says of one input; columns that no `values` name may hold anything."""

    values: tuple[Values, ...] = ()
    padding: Padding | None = None

    @property
    def entry_columns(self) -> tuple[int, ...] | None:
        """The columns whose numbers stand for entries of a table; None where all do."""
        named = [values.columns for values in self.values if values.names_entries]
        known = [columns for columns in named if columns is not None]
        return None if len(known) < len(named) else tuple(sorted({column for columns in known for column in columns}))
