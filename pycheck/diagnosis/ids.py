"""Finds inputs with indices outside a table."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Finding, IdRange
from .case import Case, Rule, number
from .causes import severity_of_cause
from .codes import finding

_OF_TFJS = "Outside the table, TF.js reads zeros on webgl and webgpu, and fails on cpu and wasm. "


def ids_out_of_table(case: Case) -> Iterator[Finding]:
    """Find ids-out-of-table: an index that is outside the table."""
    for ids in case.evidence.ids:
        value, sample = outside(ids)
        if value is None:
            continue
        yield finding(
            "ids-out-of-table",
            severity_of_cause(case),
            runtimes=case.browsers,
            tensor=ids.name,
            summary=f"The input {ids.name} holds {number(value)} in sample {sample}, but {ids.reason} have the indices "
            f"{ids.low} to {ids.high - 1}.",
            advice=f"Give indices from {ids.low} to {ids.high - 1}. {'' if case.is_of_litert else _OF_TFJS}"
            "Keras 3 counts a negative index from the end.",
            evidence={
                "outputs": case.outputs_of(ids.name),
                "columns": None if ids.columns is None else list(ids.columns),
                "low": ids.low,
                "high": ids.high,
                "smallest": ids.smallest,
                "largest": ids.largest,
                "sample": sample,
            },
        )


def outside(ids: IdRange) -> tuple[float | None, int]:
    """Return an index outside the table and its sample; None if there is none."""
    if ids.largest >= ids.high:
        return ids.largest, ids.largest_sample
    if ids.smallest < ids.low:
        return ids.smallest, ids.smallest_sample
    return None, 0


RULES: tuple[Rule, ...] = (ids_out_of_table,)
