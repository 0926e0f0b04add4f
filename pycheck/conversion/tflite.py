"""Converts any model to a LiteRT file: a frozen graph of fixed shapes, through TensorFlow's converter."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConversionError
from ..system.quiet import without_native_noise
from ..types import Signature

if TYPE_CHECKING:
    from ..graphdef.body import Program
    from ..model import FrozenGraph

MODEL_FILE = "model.tflite"
QUANTIZATIONS = ("none", "float16", "dynamic")

#: The types that LiteRT.js 2.5 reads and writes are float32, int32 and uint8 (datatypes.ts of @litertjs/core).
_PAGE_TYPES = {"float32": "float32", "int32": "int32", "uint8": "int32", "bool": "int32", "int64": "int32"}
_PAGE_TYPES |= {"float16": "float32", "float64": "float32", "bfloat16": "float32"}
_PAGE_TYPES |= {"int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int32"}

_LACKING = re.compile(r"^(?:Custom|Flex) ops: (.+)$", re.MULTILINE)
_PLACE = re.compile(r'loc\((?:callsite\()?(?:fused\[)?"(\w+):?", ?"([^"]+)"')
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/-]*")


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
    layers: Collection[str] = (),
) -> TfliteArtifact:
    """Write `frozen` as ``model.tflite`` into `folder`, which is absent or empty.

    Args:
        frozen: The model's graph; its variables are constants, because LiteRT.js runs a file with variables on zeros.
        signature: Types and shapes of the inputs and outputs of `frozen`.
        folder: The folder for the file.
        shapes: The shape of each input by name, without free dimensions, because LiteRT.js accepts no others.
        quantize: none, float16 (weights), or dynamic (weights in int8, activations where the kernel can).
        layers: The names of the model's Keras layers, for messages.

    Raises:
        ConversionError: LiteRT lacks operations, which the message names with their layers; or a type has no
            counterpart.
    """
    if quantize not in QUANTIZATIONS:
        raise ConversionError(
            f"--quantize {quantize} is not for LiteRT files.", f"Use one of {', '.join(QUANTIZATIONS)}."
        )
    program, notes = _prepared(frozen, signature)
    content = _converted(program, signature, shapes, quantize, layers, notes)
    inputs = _names([spec.name for spec in signature.inputs], "input")
    outputs = _names([spec.name for spec in signature.outputs], "output")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(content)
    fixed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    free = any(None in spec.shape for spec in signature.inputs)
    return TfliteArtifact(
        len(content), inputs, outputs, (*notes, *([f"shapes fixed for LiteRT.js: {fixed}"] if free else []))
    )


def page_type(dtype: str) -> str:
    """Return the type in the page of an input or output; ConversionError if LiteRT.js has none for it."""
    if dtype not in _PAGE_TYPES:
        raise ConversionError(
            f"LiteRT.js has no inputs and outputs of type {dtype}: it has float32, int32 and uint8.",
            "Compute this part outside of the model.",
        )
    return _PAGE_TYPES[dtype]


def _prepared(frozen: FrozenGraph, signature: Signature) -> tuple[Program, list[str]]:
    """Simplify the graph as for TF.js, except that LiteRT has other operations, so nothing is rewritten yet."""
    from ..graphdef.body import read_program
    from ..graphdef.optimize import optimize
    from .graph.simplify import simplify

    for spec in (*signature.inputs, *signature.outputs):
        page_type(spec.dtype)
    program = read_program(frozen.graph_def, frozen.inputs.values(), frozen.outputs.values())
    notes = simplify(program)
    return optimize(program), [note.replace("TF.js", "LiteRT.js") for note in notes]


def _converted(
    program: Program,
    signature: Signature,
    shapes: Mapping[str, tuple[int, ...]],
    quantize: str,
    layers: Collection[str],
    notes: list[str],
) -> bytes:
    """Convert; if LiteRT lacks operations, rewrite these as for TF.js and convert again."""
    from ..graphdef.optimize import optimize
    from .graph.rewrites import REWRITES
    from .graph.rewriting import apply_rewrites

    outcome = _attempt(program, signature, shapes, quantize)
    if isinstance(outcome, bytes):
        return outcome
    rewrites = {op: REWRITES[op] for op in _lacking(outcome) if op in REWRITES}
    if rewrites and (more := apply_rewrites(program, rewrites)):
        notes += more
        outcome = _attempt(optimize(program), signature, shapes, quantize)
    if isinstance(outcome, bytes):
        return outcome
    raise ConversionError(
        f"Cannot convert the model to LiteRT: {_explained(outcome, layers)}",
        "Replace these layers, or compute this part outside of the model.",
    )


def _attempt(
    program: Program, signature: Signature, shapes: Mapping[str, tuple[int, ...]], quantize: str
) -> bytes | str:
    """Return the file, or the converter's message."""
    import tensorflow as tf

    function, owner = _function(program, signature, shapes)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    try:
        with without_native_noise():
            return bytes(converter.convert())
    except Exception as error:  # the converter raises errors of its own, and those of MLIR
        return str(error)


def _function(program: Program, signature: Signature, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Any, Any]:
    """Return a ConcreteFunction with the signature's names, with types that a page has, and the module that owns it."""
    import tensorflow as tf

    graph_def = program.graph_def()
    placeholders = [f"{name}:0" for name in program.main.inputs]
    wanted = [ref if ":" in ref else f"{ref}:0" for ref in program.main.outputs]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        types = [graph.get_tensor_by_name(name).dtype for name in placeholders]
    names = _names([spec.name for spec in signature.inputs], "input")
    outputs = _names([spec.name for spec in signature.outputs], "output")
    specs = [
        tf.TensorSpec(shapes[spec.name], page_type(spec.dtype), name=name)
        for spec, name in zip(signature.inputs, names, strict=True)
    ]

    def call(*given: Any) -> dict[str, Any]:
        fed = {p: tf.cast(x, dtype) for p, x, dtype in zip(placeholders, given, types, strict=True)}
        values = tf.graph_util.import_graph_def(graph_def, fed, wanted, name="")
        return {
            name: tf.cast(value, page_type(spec.dtype))
            for name, value, spec in zip(outputs, values, signature.outputs, strict=True)
        }

    module = tf.Module()
    module.serve = tf.function(call, autograph=False, input_signature=specs)
    return module.serve.get_concrete_function(), module


def _names(given: list[str], side: str) -> tuple[str, ...]:
    """Return the model's names where TensorFlow accepts them in a signature, else names by position."""
    whole = all(_NAME.fullmatch(name) for name in given) and len(set(given)) == len(given)
    return tuple(given) if whole else tuple(f"{side}_{number}" for number in range(len(given)))


def _lacking(message: str) -> list[str]:
    return [name for found in _LACKING.findall(message) for name in re.split(r", ?", found.strip())]


def _explained(message: str, layers: Collection[str]) -> str:
    """Name the operations that LiteRT lacks with their layers; else return the converter's first lines."""
    from .graph.support import Problem, describe_problems

    names = {name.removeprefix("tf.") for name in _lacking(message)}
    places = dict.fromkeys((op, node) for op, node in _PLACE.findall(message) if op in names)
    problems = [Problem(op, node, "LiteRT has no such operation") for op, node in places]
    problems += [Problem(op, op, "LiteRT has no such operation") for op in sorted(names - {op for op, _ in places})]
    if problems:
        return "\n" + describe_problems(problems, layers)
    said = [line.strip() for line in message.splitlines() if line.strip()]
    return "; ".join(said[:2])[:500] + "."
