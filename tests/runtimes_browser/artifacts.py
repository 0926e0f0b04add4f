"""Tiny artifacts of both formats, written by hand so that their exact answer is known."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.types import Array, ArtifactInfo

_DT = {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}


def write(folder: Path, manifest: Mapping[str, Any], weights: Mapping[str, Array]) -> Path:
    """model.json and one shard with all weights."""
    folder.mkdir(parents=True, exist_ok=True)
    specs = [{"name": n, "shape": list(w.shape), "dtype": w.dtype.name} for n, w in weights.items()]
    (folder / "group1-shard1of1.bin").write_bytes(b"".join(w.tobytes() for w in weights.values()))
    groups = [{"paths": ["group1-shard1of1.bin"], "weights": specs}] if weights else []
    (folder / "model.json").write_text(json.dumps({**manifest, "weightsManifest": groups}))
    return folder


def info(folder: Path, format: str, inputs: Sequence[str], outputs: Sequence[str]) -> ArtifactInfo:
    """An ArtifactInfo whose model calls its tensors by the artifact's names in capitals."""
    return ArtifactInfo(
        folder=folder,
        format=format,
        quantization="none",
        size_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        converter="by hand",
        reason="",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        input_names={name.upper(): name for name in inputs},
        output_names={name.upper(): name for name in outputs},
    )


def dense_weights(size: int = 64, units: int = 32) -> tuple[Array, Array]:
    """Kernel and bias; large enough together with a batch that nothing is forwarded to the CPU."""
    random = np.random.default_rng(7)
    kernel = random.normal(size=(size, units)).astype(np.float32) / np.float32(np.sqrt(size))
    return kernel, random.normal(size=units).astype(np.float32)


def layers_dense(folder: Path, activation: str = "relu", units: int = 32) -> ArtifactInfo:
    """Input [n, 64] -> Dense(units, activation)."""
    kernel, bias = dense_weights(units=units)
    dense = {
        "class_name": "Dense",
        "config": {"name": "d", "units": units, "activation": activation, "batch_input_shape": [None, 64]},
    }
    topology = {"model_config": {"class_name": "Sequential", "config": {"name": "m", "layers": [dense]}}}
    manifest = {"format": "layers-model", "modelTopology": topology}
    return info(write(folder, manifest, {"d/kernel": kernel, "d/bias": bias}), "layers", ["d_input"], ["d"])


def cut(artifact: ArtifactInfo, shards: int) -> ArtifactInfo:
    """The same artifact with its weights in so many shards of one size."""
    manifest = json.loads((artifact.folder / "model.json").read_text())
    (group,) = manifest["weightsManifest"]
    whole = (artifact.folder / group["paths"][0]).read_bytes()
    size = -(-len(whole) // shards)
    group["paths"] = [f"part{index}.bin" for index in range(shards)]
    for index, path in enumerate(group["paths"]):
        (artifact.folder / path).write_bytes(whole[index * size : (index + 1) * size])
    (artifact.folder / "model.json").write_text(json.dumps(manifest))
    return artifact


def node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    """A node of a graph."""
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def placeholder(name: str, shape: Sequence[int], dtype: str = "float32") -> dict[str, Any]:
    """An input; -1 is open."""
    dims = [{"size": str(size)} for size in shape]
    return node(name, "Placeholder", shape={"shape": {"dim": dims}}, dtype={"type": _DT[dtype]})


def constant(name: str, dtype: str = "float32") -> dict[str, Any]:
    """A weight."""
    return node(name, "Const", dtype={"type": _DT[dtype]})


def graph(
    folder: Path,
    nodes: Sequence[dict[str, Any]],
    weights: Mapping[str, Array],
    inputs: Sequence[str],
    outputs: Sequence[str],
    **library: Any,
) -> ArtifactInfo:
    """A graph model of these nodes."""
    tensor = lambda name: {"name": name}  # noqa: E731
    manifest = {
        "format": "graph-model",
        "modelTopology": {"node": list(nodes), "versions": {"producer": 1, "minConsumer": 1}, "library": library},
        "signature": {
            "inputs": {name: tensor(name) for name in inputs},
            "outputs": {name: tensor(name) for name in outputs},
        },
    }
    return info(write(folder, manifest, weights), "graph", inputs, outputs)


def graph_dense(folder: Path) -> ArtifactInfo:
    """x [n, 64] -> relu(x @ kernel + bias)."""
    kernel, bias = dense_weights()
    nodes = [
        placeholder("x", [-1, 64]),
        constant("kernel"),
        constant("bias"),
        node("product", "MatMul", "x", "kernel", transpose_a={"b": False}, transpose_b={"b": False}),
        node("sum", "AddV2", "product", "bias"),
        node("y", "Relu", "sum"),
    ]
    return graph(folder, nodes, {"kernel": kernel, "bias": bias}, ["x"], ["y"])


def dense_expected(x: Array) -> Array:
    """relu(x @ kernel + bias) in float64."""
    kernel, bias = dense_weights()
    return np.maximum(x.astype(np.float64) @ kernel.astype(np.float64) + bias, 0)


def graph_unary(folder: Path, op: str, output_names: Mapping[str, str] | None = None) -> ArtifactInfo:
    """x [n] -> op(x)."""
    made = graph(folder, [placeholder("x", [-1]), node("y", op, "x")], {}, ["x"], ["y"])
    return replace(made, output_names=output_names, outputs=("y", "y")) if output_names else made


def graph_double(folder: Path) -> ArtifactInfo:
    """x [n] -> x + x."""
    return graph(folder, [placeholder("x", [-1]), node("y", "AddV2", "x", "x")], {}, ["x"], ["y"])


def graph_einsum(folder: Path) -> ArtifactInfo:
    """x [n] -> x * x, as an Einsum."""
    equation = {"s": base64.b64encode(b"i,i->i").decode()}
    nodes = [placeholder("x", [-1]), node("y", "Einsum", "x", "x", equation=equation)]
    return graph(folder, nodes, {}, ["x"], ["y"])


def graph_dtypes(folder: Path) -> ArtifactInfo:
    """n int32 -> n + n, mask bool -> not mask."""
    nodes = [
        placeholder("n", [-1], "int32"),
        placeholder("mask", [-1], "bool"),
        node("twice", "AddV2", "n", "n"),
        node("not", "LogicalNot", "mask"),
    ]
    return graph(folder, nodes, {}, ["n", "mask"], ["twice", "not"])


def graph_loop(folder: Path) -> ArtifactInfo:
    """x -> x + 3, one at a time in a StatelessWhile."""
    weights = {
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "three": np.array(3, np.float32),
    }
    nodes = [
        placeholder("x", [-1, 100]),
        *(constant(name) for name in weights),
        node(
            "loop",
            "StatelessWhile",
            "zero",
            "x",
            "one",
            "three",
            cond={"func": {"name": "more"}},
            body={"func": {"name": "step"}},
        ),
        node("y", "Identity", "loop:1"),
    ]
    arguments = ("i", "value", "one", "three")
    functions = [
        _function("more", arguments, [node("less", "Less", "i", "three")], {"less": "less:z:0"}),
        _function(
            "step",
            arguments,
            [node("next", "AddV2", "i", "one"), node("sum", "AddV2", "value", "one")],
            {"next": "next:z:0", "sum": "sum:z:0", "one_out": "one", "three_out": "three"},
        ),
    ]
    return graph(folder, nodes, weights, ["x"], ["y"], function=functions)


def _function(
    name: str, arguments: Sequence[str], nodes: Sequence[dict[str, Any]], returns: Mapping[str, str]
) -> dict[str, Any]:
    argument = lambda name: {"name": name, "type": "DT_FLOAT"}  # noqa: E731
    signature = {
        "name": name,
        "inputArg": [argument(a) for a in arguments],
        "outputArg": [argument(r) for r in returns],
    }
    return {"signature": signature, "nodeDef": list(nodes), "ret": dict(returns)}


def layers_unknown(folder: Path) -> ArtifactInfo:
    """A layers model with a layer that nobody has."""
    layer = {"class_name": "Quantum", "config": {"name": "q", "batch_input_shape": [None, 1]}}
    topology = {"model_config": {"class_name": "Sequential", "config": {"name": "m", "layers": [layer]}}}
    return info(write(folder, {"format": "layers-model", "modelTopology": topology}, {}), "layers", ["i"], ["o"])
