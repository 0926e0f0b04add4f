"""Divides the variants of a check into shards that take about the same time.

Every machine computes the same division: from the configuration, and from the times in the baseline.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

from .baseline_file import Baseline
from .variants import Variant

#: The runtimes in Python, native:float32 and native:float64, which every variant has.
IN_PYTHON = 2


def runtime_count(variant: Variant) -> int:
    """Return the number of runtimes of a variant, including those in Python."""
    return len(variant.options.runtimes) + IN_PYTHON


def weights(variants: Sequence[Variant], accepted: Baseline | None) -> dict[str, int]:
    """Return the time of each variant by name: seconds as in the baseline, estimated for those that it lacks.

    The estimate is the mean time of a runtime in the baseline for each runtime; without any time it is 1.
    """
    entries = accepted.variants if accepted else {}
    known = {v.name: entry.seconds for v in variants if (entry := entries.get(v.accepted_as)) and entry.seconds}
    runtimes = sum(runtime_count(v) for v in variants if v.name in known)
    each = sum(known.values()) / runtimes if runtimes else 1.0
    return {v.name: known.get(v.name) or math.ceil(each * runtime_count(v)) for v in variants}


def divide(variants: Sequence[Variant], weight: Mapping[str, int], count: int) -> tuple[tuple[Variant, ...], ...]:
    """Divide variants into `count` shards, each in the order of the variants.

    The variants of a model stay together, because they share its results in Python, unless they take more than an
    equal share of the time. The longest are given out first, each to the shard with the least so far: no shard takes
    more than 4/3 of the best division (Graham, Bounds on Multiprocessing Timing Anomalies, 1969). In a tie, the earlier
    in order is first.
    """
    units = _units(variants, weight, count)
    units.sort(key=lambda unit: -sum(weight[v.name] for v in unit))  # stable
    taken: dict[int, set[str]] = {}
    least = [(0, index) for index in range(count)]
    for unit in units:
        load, index = heapq.heappop(least)
        taken.setdefault(index, set()).update(v.name for v in unit)
        heapq.heappush(least, (load + sum(weight[v.name] for v in unit), index))
    shard_of = {name: index for index, names in taken.items() for name in names}
    shards: list[list[Variant]] = [[] for _ in range(count)]
    for variant in variants:
        shards[shard_of[variant.name]].append(variant)
    return tuple(map(tuple, shards))


def _units(variants: Sequence[Variant], weight: Mapping[str, int], count: int) -> list[list[Variant]]:
    """Return what runs on one machine: all variants of a model, or one variant of a model that takes long."""
    by_model: dict[str, list[Variant]] = {}
    for variant in variants:
        by_model.setdefault(variant.entry.name, []).append(variant)
    share = sum(weight.values()) / count
    units: list[list[Variant]] = []
    for same in by_model.values():
        is_long = sum(weight[v.name] for v in same) > share
        units += [[variant] for variant in same] if is_long else [same]
    return units
