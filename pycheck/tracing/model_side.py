"""Compares the points that the model and its artifact both have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import PycheckError
from ..options.values import Options
from ..runtimes.native.executable import ModelPoints
from ..runtimes.native.litert_points import LitertPoints
from ..types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, ArtifactInfo, RuntimeId, Trace
from .conversion import Converted, Side, Sides, trace_conversion
from .differences import differences
from .gaps import Between, with_gaps
from .model_graph import ModelGraph
from .pairing import pair_layers, pair_nodes
from .probing import Probed
from .references import TraceReferences
from .tflite_pairing import InBatches, file_shapes, pair_operations

if TYPE_CHECKING:
    from ..model import Model


async def with_points_of(
    model: Model,
    trace: Trace,
    references: TraceReferences,
    artifact: ArtifactInfo,
    feeds: Mapping[str, Array],
    probed: Probed,
    options: Options,
) -> Trace:
    """Compare every point of a trace with the model's own value, which shows where the conversion went wrong."""
    async with AsyncExitStack() as stack:
        try:
            sides, between = await _start_sides(model, artifact, references, feeds, stack)
            elements = probed.elements(len(trace.samples))
            found = await trace_conversion(sides, elements, samples=trace.samples, memory_bytes=trace.memory_bytes)
            if options.tfjs_model:
                found = await with_gaps(sides, between, found)
        except PycheckError as error:
            reason = f"the points of the artifact were not compared with the model's: {error.message}"
            return replace(trace, notes=(*trace.notes, reason))
    if options.tfjs_model:
        found = await _explained(found, model, artifact, references)
    quantized = references.single.quantized
    points = tuple(
        replace(point, conversion=found.results.get(point.name), quantized=point.name in quantized)
        for point in trace.points
    )
    return replace(trace, points=points, notes=(*trace.notes, *found.notes))


async def _explained(found: Converted, model: Model, artifact: ArtifactInfo, references: TraceReferences) -> Converted:
    """Add differences between the files to the sources, if the artifact was given rather than converted."""
    sources = {name for name, result in found.results.items() if result.role == "source"}
    points = [point for point in references.single.points if point.name in sources]
    loop = asyncio.get_running_loop()
    try:
        texts = await loop.run_in_executor(references.executor, differences, model, artifact, points)
    except PycheckError:  # without a fresh conversion there is nothing to compare
        return found
    results = {
        name: replace(result, note="; ".join(filter(None, (result.note, texts.get(name)))) or None)
        for name, result in found.results.items()
    }
    return replace(found, results=results)


async def _start_sides(
    whole: Model,
    artifact: ArtifactInfo,
    references: TraceReferences,
    feeds: Mapping[str, Array],
    stack: AsyncExitStack,
) -> tuple[Sides, Between]:
    """Start both sides, in float64 if that runs, else in float32; a .tflite file is in its own types.

    `stack` closes them. `feeds` are the artifact's inputs. ConversionError if the model cannot become a graph of
    constants.
    """

    single, double, executor = references.single, references.double, references.executor

    shapes = file_shapes(single.graph) if isinstance(single, LitertPoints) else {}

    def read() -> Between:
        from ..model.evidence import layers_of

        model = whole
        if shapes:  # the graph that was converted, with the sizes of the file
            model = whole.in_shapes({n: np.zeros(shapes[theirs]) for n, theirs in artifact.input_names.items()})
        frozen = model.frozen()
        outputs = {single.point_of(artifact.output_names[name]): tensor for name, tensor in frozen.outputs.items()}
        if isinstance(single, LitertPoints):
            pairs = pair_operations(single.graph, frozen.graph_def, outputs)
        elif artifact.format == "layers":
            pairs = pair_layers(single.points, model.layer_tensors)
        else:
            pairs = pair_nodes(single.points, frozen.graph_def, model.layer_tensors)
        inputs = {artifact.input_names[name]: tensor for name, tensor in frozen.inputs.items()}
        for name, tensor in outputs.items():
            pairs.setdefault(name, tensor)
        known = {point.name for point in single.points}
        known_pairs = {name: tensor for name, tensor in pairs.items() if name in known}
        classes = {str(layer.name): type(layer).__name__ for layer in layers_of(model.keras_model)}
        graph = ModelGraph(frozen.graph_def, known_pairs, inputs, model.layer_tensors, classes)
        return Between(graph, known_pairs, inputs, frozen.outputs)

    between = await asyncio.get_running_loop().run_in_executor(executor, read)
    is_exact = double is not None or isinstance(single, LitertPoints)
    ids = (NATIVE_FLOAT64 if is_exact else NATIVE_FLOAT32, (double or single).id)
    known = {point.name for point in single.points}
    last = {name: single.point_of(theirs) for name, theirs in artifact.output_names.items()}
    outputs = {name: point for name, point in last.items() if point in known}  # without inputs that are also outputs
    own = {tensor: tensor for tensor in (*between.graph.unpaired, *between.outputs.values())}
    tensors = {**between.pairs, **own}

    def in_kind(id: RuntimeId) -> Side:
        points = ModelPoints(id, between.graph.graph_def, between.inputs, tensors, executor=executor)
        stack.push_async_callback(points.close)
        return InBatches(points, shapes) if shapes else points

    sides = Sides(
        model=in_kind(ids[0]),
        artifact=double or single,
        single=single,
        model_id=ids[0],
        artifact_id=ids[1],
        points=single.points,
        paired=frozenset(between.pairs),
        outputs=outputs,
        feeds=feeds,
        in_float32=double.in_float32 if double else (),
        rounded=in_kind(NATIVE_FLOAT32) if shapes else None,
    )
    return sides, between
