"""Finds layers or operations that only the model or only its artifact has, at the point where the two first differ.

An operation of the artifact with a wrong input is right itself, but shows the difference first. It is run on the
model's values of points before it. If it then returns the model's value, the model's operations between are missing in
the artifact. If it does so once an operation of the artifact is skipped, that operation is additional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..artifact import Point
from ..errors import RuntimeFailedError
from ..types import Array, Comparison, Gap, PointResult
from .conversion import Converted, Region, Sides, computed
from .effects import MOST
from .model_graph import ModelGraph

#: The most tensors of the model that are tried as a replacement for an operand.
_MOST_TRIED = 24
#: The most points before an operation whose value may be replaced.
_MOST_REPLACED = 3


@dataclass(frozen=True, slots=True)
class Between:
    """The model's graph, with the tensors for points and inputs of the artifact and for outputs of the model.

    The model's side also returns values of the graph's unpaired tensors and of outputs, by the names of the tensors.
    """

    graph: ModelGraph
    pairs: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


async def with_gaps(sides: Sides, model: Between, found: Converted) -> Converted:
    """Add the gap before each source, and the gap after each point that is an output of the artifact too early."""
    points = {point.name: point for point in sides.points}
    results = dict(found.results)
    sources = [name for name, result in results.items() if result.role == "source"]
    for name in sources:
        region = sides.region(points[name], found.rewritten)
        tried = name in sorted(sources, key=lambda n: _effect(results[n]), reverse=True)[:MOST]
        before = await _Search(sides, model, found, points[name], region).gap(tried=tried)
        note = None if before.extra or before.changed else results[name].note
        results[name] = replace(results[name], gap=before, note=note)
    for output, name in sides.outputs.items():
        if name in results and _agrees(results[name]) and (gap := await _behind(sides, model, output, name)):
            results[name] = replace(results[name], gap=gap)
    return replace(found, results=results)


def _effect(result: PointResult) -> float:
    return result.effect.share if result.effect else 0.0


def _agrees(result: PointResult | None) -> bool:
    """Tell whether the artifact computes the model's value at a point, in the whole run or from the model's values."""
    comparisons = (result.inherited, result.own) if result else ()
    return any(comparison is not None and comparison.passed for comparison in comparisons)


async def _behind(sides: Sides, model: Between, output: str, name: str) -> Gap | None:
    """Find what the model computes between a point that is an output of the artifact and its own output."""
    last = model.outputs[output]
    nodes = model.graph.behind(model.pairs[name], [*model.graph.before(last), last.partition(":")[0]])
    if model.pairs[name] == last or not nodes:
        return None
    value = (await sides.model.run(sides.feeds, [last]))[last]
    comparison = await computed(sides, name, sides.feeds, value)
    if comparison is None or comparison.passed:
        return None
    here = (await sides.model.run(sides.feeds, [name]))[name]
    missing, layers = model.graph.told(await _changing(sides, model, nodes, here), model.pairs[name])
    return Gap("", model.graph.layers_of(nodes), missing, missing_layers=layers)


async def _changing(sides: Sides, model: Between, path: Sequence[str], value: Array) -> list[str]:
    """Return the nodes of a path after the last one that still has this value: a bias of zeros is not missing."""
    begin = 0
    for place, node in enumerate(path):
        if (tensor := f"{node}:0") in model.graph.unpaired:
            given = (await sides.model.run(sides.feeds, [tensor]))[tensor]
            begin = place + 1 if np.array_equal(given, value) else begin
    return list(path[begin:])


class _Search:
    """The search for the gap before one source of a wrong conversion."""

    def __init__(self, sides: Sides, model: Between, found: Converted, point: Point, region: Region) -> None:
        self._sides = sides
        self._model = model
        self._found = found
        self._point = point
        self._region = region
        self._nodes = model.graph.before(model.pairs[point.name])
        self._points = {other.name: other for other in sides.points}

    async def gap(self, *, tried: bool) -> Gap:
        """Find the model's layers before the point.

        With `tried`, also run the point to find what is missing or additional.
        """
        gap = Gap(self._point.op, self._model.graph.layers_of(self._nodes))
        if not tried or self._is_right():
            return gap
        try:
            return (
                await self._without_missing(gap) or await self._without_extra(gap) or await self._replaced(gap) or gap
            )
        except RuntimeFailedError:  # the model cannot return these tensors
            return gap

    def _is_right(self) -> bool:
        result = self._found.results[self._point.name]
        return result.own is not None and result.own.passed is True

    async def _without_missing(self, gap: Gap) -> Gap | None:
        """Try the model's value of a tensor that the artifact lacks, as a replacement for an operand that agrees."""
        for name in self._region.cut:
            if name not in self._sides.feeds and not _agrees(self._found.results.get(name)):
                continue
            first = self._model.pairs.get(name) or self._model.inputs[name]
            nodes = self._model.graph.behind(first, self._nodes)
            same = (await self._expected([name]))[name]
            for tensor in list(self._model.graph.results_first(nodes))[:_MOST_TRIED]:
                value = (await self._sides.model.run(self._sides.feeds, [tensor]))[tensor]
                if not _is_numeric(value) or np.array_equal(value, same):
                    continue
                if await self._gives_the_models({name: value}):
                    path = self._model.graph.up_to(tensor, nodes)
                    missing, layers = self._model.graph.told(
                        await _changing(self._sides, self._model, path, same), first
                    )
                    return replace(gap, missing=missing, missing_layers=layers) if missing else None
        return None

    async def _without_extra(self, gap: Gap) -> Gap | None:
        """Try the input of an operation as a replacement for its result.

        Else the model's value before several operations.
        """
        sides, cut = self._sides, await self._expected(self._region.cut)
        regions = {name: sides.region(self._points[name], self._found.rewritten) for name in self._region.within}
        for name in regions:
            read = [other for other in self._points[name].inputs if other in cut or not self._points[other].constant]
            if len(read) == 1:
                values = cut if read[0] in cut else await sides.artifact.run(_only(cut, regions[name].cut), read)
                if await self._gives_the_models({name: values[read[0]]}):
                    return replace(gap, extra=self._named([name]))
        for name, region in sorted(regions.items(), key=lambda item: len(item[1].within)):
            if len(region.cut) == 1 and await self._gives_the_models({name: cut[region.cut[0]]}):
                return replace(gap, extra=self._named([*reversed(region.within), name]))
        return None

    async def _replaced(self, gap: Gap) -> Gap | None:
        """Try the model's value of a tensor as a replacement for a result of the artifact that has no counterpart."""
        graph = self._model.graph
        for name in self._region.within[:_MOST_REPLACED]:
            for tensor in list(graph.results_first(self._nodes))[:_MOST_TRIED]:
                value = (await self._sides.model.run(self._sides.feeds, [tensor]))[tensor]
                if _is_numeric(value) and await self._gives_the_models({name: value}):
                    place, instead = f"{name} ({self._points[name].op})", graph.name_of(tensor)
                    return replace(gap, changed=(f"{place} differs from {instead} of the model",))
        return None

    def _named(self, points: Sequence[str]) -> tuple[tuple[str, str], ...]:
        return tuple((name, self._points[name].op) for name in points if not self._points[name].constant)

    async def _gives_the_models(self, instead: Mapping[str, Array]) -> bool:
        """Tell whether the operation computes the model's value if these values replace some of its operands."""
        expected = await self._expected([*self._region.cut, self._point.name])
        fed = {name: expected[name] for name in self._region.cut} | dict(instead)
        comparison: Comparison | None = await computed(self._sides, self._point.name, fed, expected[self._point.name])
        return comparison is not None and comparison.passed is True

    async def _expected(self, names: Sequence[str]) -> dict[str, Array]:
        sides = self._sides
        return {**sides.feeds, **await sides.model.run(sides.feeds, [n for n in names if n not in sides.feeds])}


def _only(values: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    return {name: values[name] for name in names}


def _is_numeric(value: Array) -> bool:
    return value.dtype.kind in "fc" and value.ndim > 0
