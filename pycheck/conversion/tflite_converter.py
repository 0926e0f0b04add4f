"""Calls TensorFlow's converter of .tflite files, in this process or in one of its own.

The converter ends the process with SIGSEGV when it quantizes a loop to int8, so this runs apart.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConversionError
from ..system.quiet import without_native_noise
from ..types import Array
from .published_environment import isolated

_GRAPH, _JOB, _RESULT, _REFUSAL = "graph.pb", "job.json", "model.tflite", "refusal.json"
_SAMPLE = "sample-{:05}.npz"
_TIMEOUT_S = 1800.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of the graph: its tensor, the type in the page, and the shape of an input."""

    tensor: str
    dtype: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A frozen graph, as the bytes of a GraphDef, to convert.

    The file has the inputs and outputs in this order. `quantize` is none, float16, dynamic or int8.
    """

    graph: bytes
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    quantize: str = "none"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The converter's refusal: operations that it lacks, each with its node, and its message."""

    lacking: tuple[tuple[str, str], ...]
    message: str


def convert_here(job: Job, samples: Iterable[Sequence[Array]] = ()) -> bytes | Refusal:
    """Convert in this process; `samples` are inputs in order, with which int8 is calibrated."""
    import tensorflow as tf

    # Its preferred way, with the object that owns the function, leaves the variables of Keras 3 in the file.
    logging.getLogger("absl").addFilter(_is_no_advice)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(job)])
    if job.quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job.quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if job.quantize == "int8":
        converter.representative_dataset = lambda: (list(sample) for sample in samples)
        # Operations without a kernel for int8 stay in float32.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        with without_native_noise(of_failures=False):
            return bytes(converter.convert())
    except Exception as error:  # the converter raises errors of its own, and those of MLIR
        return Refusal(tuple(dict.fromkeys(_lacking(error))), str(error) or type(error).__name__)


def convert_apart(job: Job, samples: Iterable[Sequence[Array]]) -> bytes | Refusal:
    """Convert in a process of its own; ConversionError if that is killed."""
    with tempfile.TemporaryDirectory(prefix="pycheck-") as scratch:
        folder = Path(scratch)
        _write(job, samples, folder)
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        try:
            done = subprocess.run(
                [*isolated(sys.executable), "-m", __name__, str(folder)], env={**os.environ, "PYTHONPATH": path},
                capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConversionError(f"Cannot run TensorFlow's converter: {error}.") from error
        if (folder / _RESULT).is_file():
            return (folder / _RESULT).read_bytes()
        if (folder / _REFUSAL).is_file():
            found = json.loads((folder / _REFUSAL).read_text("utf-8"))
            return Refusal(tuple((op, node) for op, node in found["lacking"]), found["message"])
        raise _killed(done, job.quantize)


def _killed(done: subprocess.CompletedProcess[str], quantize: str) -> ConversionError:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    by_signal = done.returncode < 0 and done.returncode != -signal.SIGKILL
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    return ConversionError(
        f"TensorFlow's converter ended with {how} while it converted the model with --quantize {quantize}"
        + (f": {lines[-1]}" if lines and not by_signal else "."),
        "It cannot quantize loops: build recurrent layers with unroll=True, or use --quantize dynamic."
        if by_signal
        else "Use --quantize dynamic.",
    )


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "trackable_obj" not in record.getMessage()


def _lacking(error: Exception) -> Iterator[tuple[str, str]]:
    """Read the operations in the data of a ConverterError, each with its node, or "" if that is unknown."""
    for fault in getattr(error, "errors", ()):
        if fault.operator.name:
            calls = fault.location.call
            yield fault.operator.name.removeprefix("tf."), str(calls[0].name) if calls else ""


def _function(job: Job) -> Any:
    """Return a ConcreteFunction; its names keep the order, because TensorFlow sorts by name."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(job.graph)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        types = [graph.get_tensor_by_name(port.tensor).dtype for port in job.inputs]
    specs = [tf.TensorSpec(port.shape, port.dtype, name=f"in{index:03}") for index, port in enumerate(job.inputs)]

    def call(*given: Any) -> dict[str, Any]:
        fed = {port.tensor: tf.cast(x, dtype) for port, x, dtype in zip(job.inputs, given, types, strict=True)}
        values = tf.graph_util.import_graph_def(graph_def, fed, [port.tensor for port in job.outputs], name="")
        return {
            f"out{index:03}": tf.identity(tf.cast(value, port.dtype))
            for index, (value, port) in enumerate(zip(values, job.outputs, strict=True))
        }

    return tf.function(call, autograph=False, input_signature=specs).get_concrete_function()


def _write(job: Job, samples: Iterable[Sequence[Array]], folder: Path) -> None:
    (folder / _GRAPH).write_bytes(job.graph)
    ports = {side: [asdict(port) for port in getattr(job, side)] for side in ("inputs", "outputs")}
    (folder / _JOB).write_text(json.dumps({**ports, "quantize": job.quantize}), "utf-8")
    for index, sample in enumerate(samples):
        np.savez(folder / _SAMPLE.format(index), *sample)


def _read(folder: Path) -> Job:
    found = json.loads((folder / _JOB).read_text("utf-8"))
    inputs, outputs = (
        tuple(Port(port["tensor"], port["dtype"], tuple(port["shape"])) for port in found[side])
        for side in ("inputs", "outputs")
    )
    return Job((folder / _GRAPH).read_bytes(), inputs, outputs, found["quantize"])


def _samples(folder: Path) -> Iterator[list[Array]]:
    for file in sorted(folder.glob("sample-*.npz")):
        with np.load(file) as arrays:
            yield [arrays[name] for name in arrays.files]


def main(folder: Path) -> None:
    """Convert the job in `folder`, and write the file or the refusal there."""
    outcome = convert_here(_read(folder), list(_samples(folder)))
    if isinstance(outcome, bytes):
        (folder / _RESULT).write_bytes(outcome)
    else:
        (folder / _REFUSAL).write_text(json.dumps(asdict(outcome)), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
