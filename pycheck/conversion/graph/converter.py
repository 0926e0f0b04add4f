"""Converts a frozen graph to TF.js's graph format: simplify, rewrite, optimize, fuse, check, write."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from google.protobuf.json_format import MessageToDict

from ...artifact.operations import NO_RAGGED_TENSORS
from ...errors import ConversionError
from ...graphdef.body import PLACEHOLDERS, Array, Program, constant_value, read_program
from ...graphdef.internals import meta_graph_pb2, node_def_pb2, op_def_registry
from ...graphdef.optimize import optimize
from ...graphdef.refs import index_of, node_of
from ...types import Signature, TensorSpec
from ...version import __version__
from ..writing import is_quantized, write_model_json
from .fusion import fuse
from .loops import keep_written
from .repairs import REPAIRS
from .rewrites import REWRITES
from .rewriting import apply_rewrites
from .simplify import simplify
from .support import backend_notes, describe_problems, find_problems
from .tables import filled_tables, initializer, place_tables

if TYPE_CHECKING:
    from ...model import FrozenGraph


@dataclass(frozen=True, slots=True)
class GraphArtifact:
    """The written artifact. `inputs` and `outputs` are tensor names, in the order of the signature."""

    size_bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def convert_graph(
    frozen: FrozenGraph,
    signature: Signature,
    folder: Path,
    *,
    quantize: str = "none",
    keep_float: Sequence[str] = (),
    layers: Collection[str] = (),
) -> GraphArtifact:
    """Write `frozen` as a TF.js graph model into `folder`.

    Args:
        frozen: The model's graph; its variables are constants, its control flow is functions.
        signature: Types and shapes of the inputs and outputs of `frozen`.
        folder: Absent or empty; see `write_model_json`.
        quantize: none, float16, uint16 or uint8; see `write_model_json`.
        keep_float: Weights that are not quantized; see `write_model_json`.
        layers: The names of the model's Keras layers, for messages.

    Raises:
        ConversionError: TF.js lacks operations, which the message names with their layers; or `folder` cannot be used.
    """
    program = read_program(frozen.graph_def, frozen.inputs.values(), frozen.outputs.values())
    tables = filled_tables(frozen.graph_def)
    notes = simplify(program)
    program = optimize(program)  # first, to give the rewrites more constants; then again below, to clean up
    notes += apply_rewrites(program, REWRITES)
    notes += apply_rewrites(program, REPAIRS)  # also in the results of the rewrites
    program = optimize(program)
    place_tables(program, tables)
    notes += keep_written(program)
    for body in program.bodies():
        fuse(body)
    _give_outputs_nodes(program, signature)
    program.drop_unused_functions()
    problems = find_problems(program)
    if problems:
        raise ConversionError(
            f"Cannot convert the model to a TF.js graph model:\n{describe_problems(problems, layers)}",
            NO_RAGGED_TENSORS
            if any("/Ragged" in f"/{problem.node}" for problem in problems)
            else "Replace these layers, or compute this part outside of the model.",
        )
    notes += backend_notes(program)
    _shorten_function_names(program)
    initializing, table_weights = initializer(tables, program)
    weights = [*_take_weights(program), *table_weights]
    inputs = tuple(f"{name}:0" for name in program.main.inputs)
    outputs = tuple(f"{node_of(ref)}:{index_of(ref)}" for ref in program.main.outputs)
    fields = {
        "format": "graph-model",
        "generatedBy": tf.__version__,
        "convertedBy": f"pycheck {__version__}",
        "signature": {
            "inputs": _signature_entries(signature.inputs, dict(zip(frozen.inputs, inputs, strict=True))),
            "outputs": _signature_entries(signature.outputs, dict(zip(frozen.outputs, outputs, strict=True))),
        },
        "modelTopology": _topology(program),
        **({"modelInitializer": initializing} if initializing else {}),
    }
    size_bytes = write_model_json(folder, fields, weights, quantize, keep_float)
    return GraphArtifact(size_bytes, inputs, outputs, (*notes, *_quantization_notes(weights, quantize)))


def _give_outputs_nodes(program: Program, signature: Signature) -> None:
    """Give each output its own node without further outputs.

    TF.js identifies a model's output and a function's result by the node only. It also disposes results, which must
    therefore not be weights or inputs of the model.
    """
    for body in program.bodies():
        if body.name:
            types = [argument.type for argument in program.signatures[body.name].output_arg]
        else:
            types = [_browser_type(spec) for spec in signature.outputs]
        taken: set[str] = set()
        for position, ref in enumerate(body.outputs):
            node = body.nodes[node_of(ref)]
            if body.name and node.name in body.inputs:
                continue  # functions of loops return arguments, even twice
            if node.name in taken or node.op in ("Const", *PLACEHOLDERS) or not _has_single_output(node):
                identity = node_def_pb2.NodeDef(name=body.free_name(f"{node.name}/output"), op="Identity", input=[ref])
                identity.attr["T"].type = types[position]
                body.nodes[identity.name] = identity
                body.outputs[position] = identity.name
            taken.add(body.outputs[position])


def _has_single_output(node: Any) -> bool:
    op_def = op_def_registry.get(node.op)
    if op_def is None:  # made by `fuse`
        return True
    return len(op_def.output_arg) == 1 and not (op_def.output_arg[0].number_attr or op_def.output_arg[0].type_list_attr)


def _browser_type(spec: TensorSpec) -> int:
    dtype = tf.as_dtype(spec.dtype)
    return int((tf.float32 if dtype.is_floating else dtype).as_datatype_enum)


def _shorten_function_names(program: Program) -> None:
    """Remove the numbers in function names from tracing and freezing, which differ between runs."""
    new_names: dict[str, str] = {}
    for name in program.functions:
        stem = re.sub(r"^__inference_|(?:_frozen)?(?:_\d+)*$", "", name) or name
        candidate, count = stem, 0
        while candidate in new_names.values():
            count += 1
            candidate = f"{stem}_{count}"
        new_names[name] = candidate
    for body in program.bodies():
        for node in body.nodes.values():
            for attr in node.attr.values():
                for func in [attr.func] if attr.HasField("func") else attr.list.func:
                    func.name = new_names[func.name]
    for name, function in program.functions.items():
        function.name = new_names[name]
        for index, argument in enumerate(function.inputs):
            plain = re.sub(r"_\d+(?=___redundant_placeholder)", "", argument)  # an argument without a reader
            if plain not in function.nodes:
                function.nodes[plain] = function.nodes.pop(argument)
                function.nodes[plain].name = function.inputs[index] = plain
                program.signatures[name].input_arg[index].name = plain
    program.signatures = {new_names[name]: program.signatures[name] for name in new_names}
    program.functions = {new_names[name]: function for name, function in program.functions.items()}


def _take_weights(program: Program) -> list[tuple[str, Array]]:
    """Remove all constants from the graph and return their values; those of a function are named after it."""
    weights: list[tuple[str, Array]] = []
    for body in program.bodies():
        renamed: dict[str, str] = {}
        for node in body.nodes.values():
            if node.op != "Const":
                continue
            value = constant_value(node)
            tensor = node.attr["value"].tensor
            node.attr["value"].tensor.CopyFrom(type(tensor)(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape))
            if body.name:
                renamed[node.name] = f"{body.name}/{node.name}"
            weights.append((renamed.get(node.name, node.name), value))
        for old, new in renamed.items():
            body.nodes[old].name = new
            body.nodes[new] = body.nodes.pop(old)
        for node in body.nodes.values():
            node.input[:] = [renamed.get(ref, ref) for ref in node.input]
        body.outputs = [renamed.get(ref, ref) for ref in body.outputs]
    return weights


def _topology(program: Program) -> dict[str, Any]:
    for body in program.bodies():
        for node in body.nodes.values():
            for key in [key for key in node.attr if key.startswith("_")]:  # only for TensorFlow's own runtime
                del node.attr[key]
    topology: dict[str, Any] = MessageToDict(program.graph_def())
    functions = topology.get("library", {}).get("function", [])
    for node in [*topology["node"], *(node for function in functions for node in function.get("nodeDef", ()))]:
        if "attr" in node:
            node["attr"] = dict(sorted(node["attr"].items()))  # the order of a protobuf map differs between runs
    for function in functions:
        function["ret"] = dict(sorted(function["ret"].items()))
    return topology


def _signature_entries(specs: Sequence[TensorSpec], tensors: Mapping[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for spec in specs:
        info = meta_graph_pb2.TensorInfo(name=tensors[spec.name], dtype=_browser_type(spec))
        info.tensor_shape.CopyFrom(tf.TensorShape(spec.shape).as_proto())
        entries[spec.name] = MessageToDict(info)
    return entries


def _quantization_notes(weights: Sequence[tuple[str, Array]], quantize: str) -> list[str]:
    """Note which large tensors kept their precision although quantization was requested."""
    kept = [
        name
        for name, value in weights
        if quantize != "none" and value.dtype.kind == "f" and value.size > 1 and not is_quantized(value, quantize)
    ]
    return [f"not quantized, because {quantize} cannot hold their values: {', '.join(kept)}"] if kept else []
