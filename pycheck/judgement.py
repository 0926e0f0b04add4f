"""From raw outputs to a report: compare, diagnose and gate, for a live run and a saved one alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from .compare import Statistics, better_pairings, measure, merge, summarize
from .config import Options
from .diagnose import diagnose
from .gate import ToleranceOptions, assess, decide, precision_bits
from .inputs import nonfinite
from .inputs.scale import ScaleSketch
from .store import SavedRun
from .types import (
    NATIVE_FLOAT32,
    Batch,
    Comparison,
    Environment,
    InputScale,
    NonfiniteInput,
    PairingHint,
    Report,
    RuntimeId,
    Tensors,
)
from .version import __version__


class Measurements:
    """Statistics of every output of every runtime, merged batch by batch.

    Batches of one runtime come one at a time; different runtimes may come from different threads.
    """

    def __init__(self, tolerance: ToleranceOptions, environment_of: Callable[[RuntimeId], Environment | None]) -> None:
        self._tolerance = tolerance
        self._environment_of = environment_of
        self.statistics: dict[RuntimeId, dict[str, Statistics]] = {}
        self.floor: dict[str, Statistics] = {}
        self.size_runtime = NATIVE_FLOAT32
        self._nonfinite: dict[str, NonfiniteInput] = {}
        self.input_elements: dict[str, int] = {}
        self._scales: dict[str, ScaleSketch] = {}
        self.pairing_hints: list[PairingHint] = []
        self._digests: dict[tuple[RuntimeId, str], hashlib._Hash] = {}

    def add_inputs(self, batch: Batch) -> None:
        """Count what is not finite in a batch of inputs, how large its values and the largest batch are."""
        for name, tensor in batch.tensors.items():
            self.input_elements[name] = max(tensor.size, self.input_elements.get(name, 0))
            if tensor.dtype.kind == "f":
                found = nonfinite.found(name, tensor, batch.start)
                if found:
                    self._nonfinite[name] = nonfinite.together(self._nonfinite.get(name), found)
                if tensor.size:
                    so_far = self._scales.get(name)
                    sketch = ScaleSketch.of(tensor, batch.start, so_far.rows if so_far else 0)
                    self._scales[name] = so_far.merge(sketch) if so_far else sketch

    @property
    def nonfinite_inputs(self) -> tuple[NonfiniteInput, ...]:
        """The inputs that were added and hold NaN or infinities."""
        return tuple(self._nonfinite.values())

    @property
    def scales(self) -> tuple[InputScale, ...]:
        """How large the floating-point inputs were that were added."""
        found = (sketch.summary(name) for name, sketch in self._scales.items())
        return tuple(scale for scale in found if scale)

    def add_reference(self, size_runtime: RuntimeId, size: Tensors, classes: Tensors, start: int) -> None:
        """Measure the noise floor: float32 in Python against float64."""
        self.size_runtime = size_runtime
        self._digest(RuntimeId(size_runtime.engine, "float32"), classes)
        if size_runtime.kind == "float64":
            for name, reference in size.items():
                _merge_into(self.floor, name, measure(classes[name], reference, reference, start=start))

    def add(self, runtime: RuntimeId, outputs: Tensors, size: Tensors, classes: Tensors, start: int) -> None:
        """Measure one batch of a candidate."""
        bits = precision_bits(runtime, self._environment_of(runtime))
        if start == 0 and len(outputs) > 1:
            self.pairing_hints += better_pairings(runtime, outputs, size)
        into = self.statistics.setdefault(runtime, {})
        self._digest(runtime, outputs)
        for name, reference in size.items():
            limits = self._tolerance.of(name, runtime)
            if reference.shape != classes[name].shape:  # it depends on values, and float64 chose others
                reference = classes[name]
            measured = measure(
                outputs[name],
                reference,
                classes[name],
                start=start,
                rtol=limits.rtol,
                atol=limits.atol,
                precision_bits=bits,
            )
            _merge_into(into, name, measured)

    def digest(self, runtime: RuntimeId, tensor: str) -> str | None:
        """SHA-256 of what a runtime gave for one output so far, however it was cut into batches."""
        found = self._digests.get((runtime, tensor))
        return found.hexdigest() if found else None

    def _digest(self, runtime: RuntimeId, outputs: Tensors) -> None:
        for name, value in outputs.items():
            self._digests.setdefault((runtime, name), hashlib.sha256()).update(np.ascontiguousarray(value).data)


def conclude(saved: SavedRun, measurements: Measurements, options: Options) -> Report:
    """Compare, diagnose and judge: the same for what just ran and for what was saved."""
    comparisons = assess(_summaries(saved, measurements), options=options.tolerance, nan=options.nan)
    findings = diagnose(
        comparisons,
        runtimes=saved.runtimes,
        model=saved.model,
        artifact=saved.artifact,
        nonfinite_inputs=saved.nonfinite_inputs,
        input_elements=saved.input_elements,
        pairing_hints=sorted(measurements.pairing_hints, key=lambda hint: saved.candidates.index(hint.candidate)),
        nan=options.nan,
        evidence=saved.evidence,
    )
    return Report(
        pycheck_version=__version__,
        model=saved.model,
        artifact=saved.artifact,
        inputs=saved.inputs,
        runtimes=saved.runtimes,
        comparisons=comparisons,
        findings=findings,
        verdict=decide(comparisons, runtimes=saved.runtimes, findings=findings, nan=options.nan),
        command=saved.command,
    )


def _summaries(saved: SavedRun, measurements: Measurements) -> tuple[Comparison, ...]:
    """The noise floor's rows first, then each candidate's, outputs in the model's order."""
    names = [spec.name for spec in saved.model.signature.outputs]
    single, _ = saved.model.references
    by_runtime: dict[RuntimeId, Mapping[str, Statistics]] = {single: measurements.floor}
    by_runtime |= {runtime: measurements.statistics.get(runtime, {}) for runtime in saved.candidates}
    return tuple(
        replace(
            summarize(
                statistics[name],
                tensor=name,
                reference=measurements.size_runtime,
                candidate=runtime,
                class_reference=measurements.size_runtime if runtime == single else single,
                noise_floor=None if runtime == single else measurements.floor.get(name),
            ),
            outputs_sha256=measurements.digest(runtime, name),
        )
        for runtime, statistics in by_runtime.items()
        for name in names
        if name in statistics
    )


def _merge_into(into: dict[str, Statistics], name: str, measured: Statistics) -> None:
    into[name] = merge(into[name], measured) if name in into else measured
