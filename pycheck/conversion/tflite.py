"""Converts any model to a LiteRT file: a frozen graph of fixed shapes, through TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ..artifact.tflite import TfliteModel, obstacles, own_outputs, sign
from ..errors import ConversionError
from ..types import Array, Signature, Tensors, TensorSpec
from .tflite_converter import Job, Port, Refusal, convert_apart, convert_here

if TYPE_CHECKING:
    from ..graphdef.body import Program
    from ..model import FrozenGraph
    from .graph.rewriting import Rewrite

MODEL_FILE = "model.tflite"
QUANTIZATIONS = ("none", "float16", "dynamic", "int8")

#: The types that LiteRT.js 2.5 reads and writes are float32, int32 and uint8 (datatypes.ts of @litertjs/core).
_PAGE_TYPES = {"float32": "float32", "int32": "int32", "uint8": "int32", "bool": "int32", "int64": "int32"}
_PAGE_TYPES |= {"float16": "float32", "float64": "float32", "bfloat16": "float32"}
_PAGE_TYPES |= {"int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int32"}

#: The most names in a note.
_MOST_NAMED = 4
#: The converter's dynamic quantization leaves smaller weights in float32 (quantize_weights.cc).
_SMALL = 1024
_BORDER = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True, slots=True)
class TfliteArtifact:
    """The written file. `inputs` and `outputs` are the names of its signature, in the order of the model's."""

    size_bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def convert_tflite(
    frozen: FrozenGraph,
    signature: Signature,
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    quantize: str = "none",
    samples: Iterable[Tensors] = (),
    layers: Collection[str] = (),
) -> TfliteArtifact:
    """Write `frozen` as ``model.tflite`` into `folder`, which is absent or empty.

    Args:
        frozen: The model's graph; its variables are constants, because LiteRT.js runs a file with variables on zeros.
        signature: Types and shapes of the inputs and outputs of `frozen`.
        folder: The folder for the file.
        shapes: The shape of each input by name, without free dimensions, because LiteRT.js accepts no others.
        quantize: none, float16 (weights), dynamic (weights in int8, activations where the kernel can), or int8
            (weights and activations; inputs and outputs stay float32).
        samples: Inputs by name in these shapes, from which int8 takes the ranges of activations.
        layers: The names of the model's Keras layers, for messages.

    Raises:
        ConversionError: LiteRT lacks operations, which the message names with their layers; a type has no
            counterpart; or the converter is killed.
    """
    if quantize not in QUANTIZATIONS:
        raise ConversionError(
            f"--quantize {quantize} is not for LiteRT files.", f"Use one of {', '.join(QUANTIZATIONS)}."
        )
    for spec in (*signature.inputs, *signature.outputs):
        page_type(spec.dtype)
    given = [_in_order(sample, signature.inputs) for sample in samples] if quantize == "int8" else []
    if quantize == "int8" and not given:
        raise ConversionError("--quantize int8 needs inputs to calibrate with, and there are none.")
    content, notes = _converted(frozen, signature, shapes, quantize, given, layers)
    model = TfliteModel.of(content, "TensorFlow's result")
    inputs, outputs = ([spec.name for spec in side] for side in (signature.inputs, signature.outputs))
    sign(model, inputs, outputs)
    notes += [
        f"{outputs[position]}: copied by a RESHAPE, because LiteRT.js returns wrong values for an output that is an "
        "input or an earlier output"
        for position in own_outputs(model)
    ]
    _refuse(model)
    notes += _kept_in_float(model, quantize, len(given))
    if any(None in spec.shape for spec in signature.inputs):
        fixed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        notes.append(f"shapes fixed for LiteRT.js: {fixed}")
    folder.mkdir(parents=True, exist_ok=True)
    size = (folder / MODEL_FILE).write_bytes(model.to_bytes())
    return TfliteArtifact(size, tuple(inputs), tuple(outputs), tuple(notes))


def page_type(dtype: str) -> str:
    """Return the type in the page of an input or output; ConversionError if LiteRT.js has none for it."""
    if dtype not in _PAGE_TYPES:
        raise ConversionError(
            f"LiteRT.js has no inputs and outputs of type {dtype}: it has float32, int32 and uint8.",
            "Compute this part outside of the model.",
        )
    return _PAGE_TYPES[dtype]


def _in_order(sample: Tensors, specs: Sequence[TensorSpec]) -> list[Array]:
    return [sample[spec.name].astype(page_type(spec.dtype)) for spec in specs]


def _converted(
    frozen: FrozenGraph,
    signature: Signature,
    shapes: Mapping[str, tuple[int, ...]],
    quantize: str,
    samples: Sequence[Sequence[Array]],
    layers: Collection[str],
) -> tuple[bytes, list[str]]:
    """Return the file and notes. Operations that the converter lacks are rewritten as for TF.js, if that is known.

    The graph is not optimized before: the converter fuses better what Keras wrote than what TensorFlow makes of it.
    """
    from ..graphdef.body import read_program
    from .graph.rewrites import REWRITES
    from .graph.rewriting import apply_rewrites
    from .graph.simplify import simplify

    program = read_program(frozen.graph_def, frozen.inputs.values(), frozen.outputs.values())
    notes = [note.replace("TF.js", "LiteRT.js") for note in simplify(program)]
    while True:
        job = _job(program, signature, shapes, quantize)
        outcome = convert_apart(job, samples) if quantize == "int8" else convert_here(job)
        if isinstance(outcome, bytes):
            return outcome, notes
        known = {op: REWRITES[op] for op, _ in outcome.lacking if op in REWRITES}
        # The converter fuses some nodes of the same operation, such as the Erfc within a gelu.
        named = {op: _only(rewrite, {node for _, node in outcome.lacking}) for op, rewrite in known.items()}
        more = apply_rewrites(program, named) or apply_rewrites(program, known)
        if not more:
            raise ConversionError(
                f"Cannot convert the model to LiteRT:{_explained(outcome, layers)}",
                "Replace these layers, or compute this part outside of the model.",
            )
        notes += more


def _only(rewrite: Rewrite, nodes: Collection[str]) -> Rewrite:
    return replace(rewrite, applies=lambda site: site.node.name in nodes and rewrite.applies(site))


def _job(program: Program, signature: Signature, shapes: Mapping[str, tuple[int, ...]], quantize: str) -> Job:
    inputs = zip(program.main.inputs, signature.inputs, strict=True)
    outputs = zip(program.main.outputs, signature.outputs, strict=True)
    return Job(
        program.graph_def().SerializeToString(),
        tuple(Port(f"{name}:0", page_type(spec.dtype), tuple(shapes[spec.name])) for name, spec in inputs),
        tuple(Port(ref if ":" in ref else f"{ref}:0", page_type(spec.dtype)) for ref, spec in outputs),
        quantize,
    )


def _refuse(model: TfliteModel) -> None:
    """Raise ConversionError if LiteRT.js would not run the file, or would run it on wrong values."""
    if found := [obstacle.what for obstacle in obstacles(model)]:
        told = "\n".join(f"  {what}" for what in found)
        raise ConversionError(
            f"LiteRT.js cannot run the converted model:\n{told}", "Compute this part outside of the model."
        )


def _kept_in_float(model: TfliteModel, quantize: str, samples: int) -> list[str]:
    """Return notes on the parts that stay in float32 nevertheless."""
    tensors = model.tensors()
    if quantize == "dynamic":
        sizes = {t.name: prod(size or 0 for size in t.shape) for t in tensors if t.is_constant and t.dtype == "float32"}
        kept = [t.name for t in tensors if sizes.get(t.name, 0) > 1 and len(t.shape) > 1]
        small = all(sizes[name] < _SMALL for name in kept)
        why = f"; the converter quantizes no weight below {_SMALL:,} elements" if small else ""
        return [f"dynamic: {_named(kept, 'weight')} in float32{why}"] if kept else []
    if quantize != "int8":
        return []
    floats = [
        operation.op
        for operation in model.operations()
        if operation.op not in _BORDER and any(tensors[tensor].dtype == "float32" for tensor in operation.outputs)
    ]
    kept = list(dict.fromkeys(floats))
    stay = f"; {_named(kept, 'kind', ' of operations')} in float32" if kept else ""
    return [f"int8: calibrated with {samples} sample{'' if samples == 1 else 's'}{stay}"]


def _named(names: Sequence[str], noun: str, of: str = "") -> str:
    more = ", ..." if len(names) > _MOST_NAMED else ""
    verb = "stays" if len(names) == 1 else "stay"
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}{of} ({', '.join(names[:_MOST_NAMED])}{more}) {verb}"


def _explained(refusal: Refusal, layers: Collection[str]) -> str:
    """Name the operations that LiteRT lacks with their layers, below; else return the converter's first lines."""
    from .graph.support import Problem, describe_problems

    problems = [Problem(op, node or op, "LiteRT has no such operation") for op, node in refusal.lacking]
    if problems:
        return "\n" + describe_problems(problems, layers)
    said = [line.strip() for line in refusal.message.splitlines() if line.strip()]
    return f" {'; '.join(said[:2])[:500]}."
