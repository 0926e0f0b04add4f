"""Puts faults into .tflite files, traces each beside its model, and says how many are pinned to the exact operation.

python -m tests.tracing.tflite_faults makes 60 in models of several kinds, without a browser; with --runtime
chromium:litert-wasm that browser runs each faulty file too. A fault is effective if it moves an output beyond its
tolerance.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.artifact.tflite import Operation, TfliteModel, read_tflite
from pycheck.artifact.tflite.points import tflite_graph
from pycheck.errors import PycheckError
from pycheck.options.reading import build
from pycheck.types import InputsInfo, Report, RuntimeId, TracePoint, Verdict

from .fault_models import MODELS, SAMPLES

NETS = ("residual", "convolutional", "several_inputs_and_outputs", "attention", "recurrent")
WANTED = 60

#: Activations that a kernel fuses, by their numbers in the schema.
_NONE, _RELU, _RELU6, _TANH = 0, 1, 3, 4


@dataclass(frozen=True)
class Fault:
    """One change in a file. `place` is the name of the point that is wrong by it."""

    kind: str
    title: str
    place: str
    change: Callable[[TfliteModel], None] = field(compare=False)


def faults_of(model: TfliteModel) -> Iterator[Fault]:
    """Every fault that this suite knows for a file."""
    graph = tflite_graph(model)
    names = {graph.tensors[point.name]: point.name for point in graph.points}
    tensors = model.tensors()
    readers = Counter(t for operation in model.operations() for t in dict.fromkeys(operation.inputs))
    for operation in model.operations():
        place = next((names[tensor] for tensor in operation.outputs if tensor in names), None)
        if place is None:
            continue
        for tensor in operation.inputs:
            value = model.constant(tensor)
            if value is None or value.dtype != np.float32 or not value.any() or readers[tensor] > 1:
                continue
            for kind, changed in _CONSTANTS.items():
                if value.size > 1 or kind == "scaled":
                    title = f"{kind} {tensors[tensor].name[:60]} of {operation.op}"
                    yield Fault(kind, title, place, _in_constant(tensor, changed))
        for option, number in _options(model, operation):
            title = f"{option} {number} of {operation.op} {place}"
            yield Fault(option, title, place, _in_option(operation.index, option, number))
        if operation.op in _OTHER:
            title = f"{operation.op} to {_OTHER[operation.op]} at {place}"
            yield Fault("operation", title, place, _in_code(operation.index, _OTHER[operation.op]))


def _scaled(value: np.ndarray) -> np.ndarray:
    return value * np.float32(1.03)


def _shifted(value: np.ndarray) -> np.ndarray:
    return value + np.float32(0.03) * np.abs(value).max()


def _zeroed(value: np.ndarray) -> np.ndarray:
    changed = value.copy()
    changed.flat[int(np.abs(value).argmax())] = 0
    return changed


_CONSTANTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "scaled": _scaled,
    "shifted": _shifted,
    "zeroed": _zeroed,
}
#: Operations with the same operands, and options that mean the same or are not needed.
_OTHER = {
    "MAX_POOL_2D": "AVERAGE_POOL_2D",
    "AVERAGE_POOL_2D": "MAX_POOL_2D",
    "REDUCE_MAX": "MEAN",
    "MEAN": "REDUCE_MAX",
    "TANH": "LOGISTIC",
    "LOGISTIC": "TANH",
    "ELU": "TANH",
    "RSQRT": "SQRT",
    "NEG": "ABS",
    "EXP": "SQRT",
}


def _options(model: TfliteModel, operation: Operation) -> Iterator[tuple[str, Any]]:
    """Options that leave the shapes as they are."""
    options = model.root.subgraphs[0].operators[operation.index].builtinOptions
    if hasattr(options, "fusedActivationFunction"):
        yield "fusedActivationFunction", _NONE if options.fusedActivationFunction else _RELU
        yield "fusedActivationFunction", _RELU6 if options.fusedActivationFunction == _RELU else _TANH
    if operation.op == "LEAKY_RELU":
        yield "alpha", 0.05
    if operation.op == "SOFTMAX":
        yield "beta", 0.9
    if operation.op in ("CONV_2D", "DEPTHWISE_CONV_2D") and options.padding == 0 and options.dilationHFactor == 1:
        yield "dilationHFactor", 2


def _in_constant(tensor: int, changed: Callable[[np.ndarray], np.ndarray]) -> Callable[[TfliteModel], None]:
    def change(model: TfliteModel) -> None:
        value = model.constant(tensor)
        assert value is not None
        buffer = model.root.buffers[model.root.subgraphs[0].tensors[tensor].buffer]
        buffer.data = np.frombuffer(changed(value).astype(np.float32).tobytes(), np.uint8)

    return change


def _in_option(index: int, option: str, value: Any) -> Callable[[TfliteModel], None]:
    def change(model: TfliteModel) -> None:
        setattr(model.root.subgraphs[0].operators[index].builtinOptions, option, value)

    return change


def _in_code(index: int, op: str) -> Callable[[TfliteModel], None]:
    def change(model: TfliteModel) -> None:
        from pycheck.artifact.tflite.flatbuffer import schema

        classes = schema()
        code = classes.OperatorCodeT()
        code.builtinCode = getattr(classes.BuiltinOperator, op)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        model.root.operatorCodes = [*model.root.operatorCodes, code]
        operator = model.root.subgraphs[0].operators[index]
        operator.opcodeIndex = len(model.root.operatorCodes) - 1
        if not op.endswith("POOL_2D") and op not in ("MEAN", "REDUCE_MAX"):
            operator.builtinOptions, operator.builtinOptionsType = None, 0

    return change


@dataclass
class Outcome:
    """What became of one file. `error` is why Python or LiteRT.js cannot run it."""

    error: str | None = None
    moved: bool = False
    blamed: tuple[TracePoint, ...] = ()
    report: Report | None = None

    def is_at(self, fault: Fault) -> bool:
        """Whether the faulty operation is blamed, and no other."""
        return [point.name for point in self.blamed] == [fault.place]


class Bench:
    """One model, its .tflite file, and traces of faulty ones."""

    def __init__(self, name: str) -> None:
        from pycheck.conversion import convert_litert
        from pycheck.model import load
        from pycheck.runtimes.native.model import NativeRuntime

        self.name = name
        self.built, self.inputs = MODELS[name]()
        self.model = load(self.built)
        self.folder = Path(tempfile.mkdtemp(prefix="tflite-faults-"))
        shapes = {key: (1, *value.shape[1:]) for key, value in self.inputs.items()}
        convert_litert(self.model, self.folder / "made", shapes)
        self.healthy = read_tflite(self.folder / "made" / "model.tflite")
        self._executor = ThreadPoolExecutor(1)

        async def predict(kind: str) -> Any:
            async with NativeRuntime(RuntimeId("native", kind), self.model, executor=self._executor) as runtime:
                return dict(await runtime.predict(self.inputs))

        self._classes, self._size = (asyncio.run(predict(kind)) for kind in ("float32", "float64"))

    def close(self) -> None:
        """Remove its files."""
        self._executor.shutdown()
        shutil.rmtree(self.folder)

    def faults(self) -> list[Fault]:
        """Every fault of its file."""
        return list(faults_of(self.healthy))

    def written(self, fault: Fault | None) -> Path:
        """The file with the fault."""
        model = self.healthy.copy()
        if fault:
            fault.change(model)
        file = self.folder / "faulty.tflite"
        file.write_bytes(model.to_bytes())
        return file

    def trace(self, fault: Fault | None = None) -> Outcome:
        """What `pycheck trace --tflite-model` finds in Python alone."""
        try:
            return _outcome(asyncio.run(self._trace(self.written(fault))))
        except PycheckError as error:
            return Outcome(error=str(error))

    def in_browser(self, fault: Fault | None, runtime: str) -> Outcome:
        """What it finds beside a browser."""
        from ..shared import session

        try:
            report = session.trace(
                self.built, self.inputs, tflite_model=self.written(fault), runtimes=runtime, cache=False, power=False
            )
        except PycheckError as error:
            return Outcome(error=str(error))
        return _outcome(report)

    async def _trace(self, file: Path) -> Report:
        from pycheck.conversion.existing import open_tflite
        from pycheck.model.evidence import layers_of
        from pycheck.runtimes.native.litert_points import LitertPoints
        from pycheck.tracing import TraceInputs, TraceReferences, trace_run

        artifact = open_tflite(file, self.model.info.signature)
        layers = [layer.name for layer in layers_of(self.model.keras_model)]

        async def drawn(count: int) -> TraceInputs:
            count = min(count, SAMPLES)
            parts = (self.inputs, self._size, self._classes)
            tensors, size, classes = ({name: value[:count] for name, value in part.items()} for part in parts)
            return TraceInputs(tensors, size, classes, tuple(range(count)))

        async def model() -> Any:
            return self.model

        report = Report(
            pycheck_version="0",
            model=self.model.info,
            artifact=None,
            inputs=InputsInfo(None, "", SAMPLES),
            runtimes=(),
            comparisons=(),
            findings=(),
            verdict=Verdict.PASS,
            litert_artifact=artifact,
        )
        async with LitertPoints(artifact, executor=self._executor, layers=layers) as single:
            return await trace_run(
                report,
                references=TraceReferences(single, None, None, self._executor),
                model=model,
                long_sums=lambda _: None,
                draw=drawn,
                candidates=[],
                only_failed=False,
                slots=asyncio.Semaphore(1),
                options=build({"tflite_model": file, "runtimes": "chromium:litert-wasm"}),
                observe=lambda *_: None,
            )


def _outcome(report: Report) -> Outcome:
    assert report.trace is not None
    moved = any(split.conversion is not None and not split.conversion.passed for split in report.trace.splits)
    return Outcome(None, moved, tuple(p for p, _ in report.trace.conversion_sources()), report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=NETS, action="append")
    parser.add_argument("--runtime", help="a browser that traces each effective fault too")
    parser.add_argument("--wanted", type=int, default=WANTED)
    given = parser.parse_args()
    nets = given.net or NETS
    tally: Counter[str] = Counter()
    for name in nets:
        bench = Bench(name)
        healthy = bench.trace()
        print(f"{name}: healthy: moved {healthy.moved}, blamed {[p.name for p in healthy.blamed]}, {healthy.error}")
        every = bench.faults()
        chosen = spread(every, -(-given.wanted * 2 // len(nets)))
        effective = 0
        for fault in chosen:
            if effective >= -(-given.wanted // len(nets)):
                break
            outcome = bench.trace(fault)
            if outcome.error or not outcome.moved:
                tally["refused" if outcome.error else "harmless"] += 1
                continue
            effective += 1
            if given.runtime:
                outcome = bench.in_browser(fault, given.runtime)
            tally["effective"] += 1
            tally["exact"] += outcome.is_at(fault)
            if not outcome.is_at(fault):
                blamed = [f"{p.name} ({p.op})" for p in outcome.blamed]
                print(f"  {fault.title}: at {fault.place}, blamed {blamed}, {outcome.error or ''}", flush=True)
    print(f"{tally['exact']} of {tally['effective']} pinned to the exact operation; {dict(tally)}")


def spread(faults: list[Fault], count: int) -> list[Fault]:
    """Order faults so that the first `count` are from everywhere in the file."""
    step = max(1, len(faults) // count)
    return [fault for start in range(step) for fault in faults[start::step]]


if __name__ == "__main__":
    main()
