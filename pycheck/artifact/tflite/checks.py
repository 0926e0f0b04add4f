"""Finds what LiteRT.js refuses in a .tflite file, or computes wrong without an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import ArtifactFileError
from .editing import PAGE_TYPES
from .model import Operation, Port, Tensor, TfliteModel

#: The most operations that a message names.
_MOST_NAMED = 4
_STATEFUL = frozenset({"resource", "variant"})
_COMMAND = "pycheck convert MODEL FOLDER --format tflite"
_AGAIN = f"Convert the model again: {_COMMAND}"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against LiteRT.js: a clause after the file's name, and the advice."""

    what: str
    advice: str = _AGAIN


def check_for_litert_js(model: TfliteModel, name: str) -> None:
    """Raise ArtifactFileError for everything in the file that LiteRT.js does not run, or runs on wrong values.

    `name` names the file in the message.
    """
    found = list(obstacles(model))
    if found:
        told = "\n".join(f"  {obstacle.what}" for obstacle in found)
        advice = "\n".join(dict.fromkeys(obstacle.advice for obstacle in found))
        raise ArtifactFileError(f"LiteRT.js cannot run {name}:\n{told}", advice)


def obstacles(model: TfliteModel) -> Iterator[Obstacle]:
    """Find custom operations, variables, types and shapes that LiteRT.js lacks, and outputs that it returns wrong."""
    yield from _custom(model)
    yield from _variables(model)
    yield from _at_border(model)
    if model.root.signatureDefs and model.root.signatureDefs[0].subgraphIndex:
        yield Obstacle(f"the signature {model.signature_keys[0]} is not of the first subgraph")
    yield from _shared(model)


def state_notes(model: TfliteModel) -> tuple[str, ...]:
    """Return a note on operations whose state makes results depend on earlier runs; empty without such operations."""
    found = stateful_operations(model)
    if not found:
        return ()
    return (f"{', '.join(found)}: keeps a state from run to run. Python resets it before each run, LiteRT.js cannot",)


def stateful_operations(model: TfliteModel) -> tuple[str, ...]:
    """Return operations that keep a state from run to run, such as UNIDIRECTIONAL_SEQUENCE_LSTM."""
    tensors = model.tensors()
    return tuple(
        dict.fromkeys(
            operation.op
            for operation in model.operations()
            if any(tensors[tensor].is_variable for tensor in operation.inputs)
        )
    )


def _shared(model: TfliteModel) -> Iterator[Obstacle]:
    """Find outputs that are an input, or an earlier output."""
    inputs = {port.tensor: port.name for port in model.inputs}
    seen: dict[int, str] = {}
    advice = f"{_AGAIN} (it copies such outputs)"
    tensors = model.tensors()
    for port in model.outputs:
        if tensors[port.tensor].dtype not in PAGE_TYPES:
            continue  # its type is told
        if port.tensor in inputs:
            what = f"the output {port.name} is the input {inputs[port.tensor]}"
            yield Obstacle(f"{what}, and LiteRT.js then returns arbitrary memory for all outputs", advice)
        elif port.tensor in seen:
            what = f"the output {port.name} is the same tensor as the output {seen[port.tensor]}"
            yield Obstacle(f"{what}, and LiteRT.js then returns one of them", advice)
        seen[port.tensor] = port.name


def _custom(model: TfliteModel) -> Iterator[Obstacle]:
    found: dict[str, list[str]] = {}
    for operation, tensors in _everywhere(model):
        if operation.is_custom:
            found.setdefault(operation.op or "a custom operation without a name", []).append(_place(operation, tensors))
    for op, places in found.items():
        flex = " (an operation of TensorFlow)" if op.startswith("Flex") else ""
        yield Obstacle(
            f"{op}{flex}: LiteRT.js has no such operation, at {_listed(places)}",
            "Convert the model again with built-in operations only: "
            "converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]",
        )


def _variables(model: TfliteModel) -> Iterator[Obstacle]:
    places = [
        f"{operation.op} at {_place(operation, tensors)}"
        for operation, tensors in _everywhere(model)
        if any(tensors[tensor].dtype in _STATEFUL for tensor in (*operation.inputs, *operation.outputs))
    ]
    if places:
        yield Obstacle(
            f"its variables are not frozen, and LiteRT.js runs them as zeros: {_listed(places)}",
            f"Freeze the variables into constants. {_AGAIN} (it freezes them)",
        )


def _at_border(model: TfliteModel) -> Iterator[Obstacle]:
    tensors = model.tensors()
    for side, ports in (("input", model.inputs), ("output", model.outputs)):
        for port in ports:
            yield from _of_port(side, port, tensors[port.tensor])


def _of_port(side: str, port: Port, tensor: Tensor) -> Iterator[Obstacle]:
    where = f"the {side} {port.name}"
    if tensor.dtype == "string":
        yield Obstacle(f"{where} has texts", "Convert texts to numbers outside of the model.")
    elif tensor.dtype in _STATEFUL:
        return  # the operation that reads it is told
    elif tensor.dtype not in PAGE_TYPES:
        yield Obstacle(
            f"{where} has type {tensor.dtype}; LiteRT.js has {', '.join(sorted(PAGE_TYPES))}", _typed(tensor)
        )
    if None in tensor.shape:
        shape = ", ".join("None" if size is None else str(size) for size in tensor.shape)
        yield Obstacle(
            f"{where} has the free shape [{shape}]; LiteRT.js needs fixed sizes",
            f"Convert the model again with fixed sizes and a batch of 1: {_COMMAND} (it fixes them)",
        )


def _typed(tensor: Tensor) -> str:
    if tensor.quantization and tensor.dtype in ("int8", "int16", "uint16"):
        return (
            "Convert the model again with float32 inputs and outputs: do not set converter.inference_input_type and "
            "converter.inference_output_type."
        )
    return f"{_AGAIN} (it casts at the border of the model)"


def _everywhere(model: TfliteModel) -> Iterator[tuple[Operation, tuple[Tensor, ...]]]:
    for subgraph in range(model.subgraph_count):
        tensors = model.tensors(subgraph)
        for operation in model.operations(subgraph):
            yield operation, tensors


def _place(operation: Operation, tensors: Sequence[Tensor]) -> str:
    named = next((tensors[tensor].name for tensor in operation.outputs if tensors[tensor].name), "")
    return named or f"operation {operation.index}"


def _listed(places: Sequence[str]) -> str:
    more = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
