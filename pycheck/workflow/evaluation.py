"""Compares, diagnoses and judges raw outputs, the same for a live run and a saved one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ..comparison import Spread, Statistics, better_pairings, measure, merge, summarize
from ..diagnosis import by_severity, diagnose
from ..gate import ToleranceOptions, assess, decide, judge_answers, judge_power, precision_bits
from ..inputs import ids, nonfinite
from ..inputs.scale import ScaleSketch
from ..options.values import Options
from ..types import (
    NATIVE_FLOAT32,
    AnswerLimits,
    Array,
    Batch,
    Comparison,
    Environment,
    Finding,
    IdRange,
    InputHint,
    InputScale,
    NonfiniteInput,
    PairingHint,
    Power,
    Report,
    RuntimeId,
    SampleSpread,
    Signature,
    Tensors,
)
from ..version import __version__
from .store import SavedRun


class Measurements:
    """Statistics of every output of every runtime, merged batch by batch.

    The batches of one runtime come one at a time; different runtimes may use different threads.
    """

    def __init__(
        self,
        signature: Signature,
        tolerance: ToleranceOptions,
        environment_of: Callable[[RuntimeId], Environment | None],
        hints: Mapping[str, InputHint] | None = None,
    ) -> None:
        self._signature = signature
        self._sampled = {spec.name: spec.has_sample_axis for spec in signature.outputs}
        self._tolerance = tolerance
        self._environment_of = environment_of
        self.statistics: dict[RuntimeId, dict[str, Statistics]] = {}
        self.floor: dict[str, Statistics] = {}
        self.size_runtime = NATIVE_FLOAT32
        self._nonfinite: dict[str, NonfiniteInput] = {}
        self.input_elements: dict[str, int] = {}
        self._scales: dict[str, ScaleSketch] = {}
        self._hints = hints or {}
        self.ids: tuple[IdRange, ...] = ()
        self._whole: set[str] = set()  # inputs without a sample axis
        self.pairing_hints: list[PairingHint] = []
        self._digests: dict[tuple[RuntimeId, str], hashlib._Hash] = {}
        self._spreads: dict[str, Spread] = {}
        self._answers: dict[tuple[RuntimeId, str], list[Statistics]] = {}

    def add_inputs(self, batch: Batch) -> None:
        """Measure a batch of inputs: non-finite values, scales, and the size of the largest batch."""
        for name, tensor in batch.tensors.items():
            self.input_elements[name] = max(tensor.size, self.input_elements.get(name, 0))
            if hint := self._hints.get(name):
                held = ids.found(name, hint, tensor, batch.start, whole=name in batch.whole)
                self.ids = ids.together(self.ids, held)
            if tensor.dtype.kind == "f":
                whole = name in batch.whole
                if whole and batch.index:  # the same value as in the first batch
                    continue
                found = nonfinite.found(name, tensor, batch.start, whole=whole)
                if found:
                    self._nonfinite[name] = nonfinite.together(self._nonfinite.get(name), found)
                if whole:
                    self._whole.add(name)
                    tensor = tensor.reshape(1, *tensor.shape, *(1,) * (tensor.ndim < 2))
                if tensor.size:
                    so_far = self._scales.get(name)
                    sketch = ScaleSketch.of(tensor, batch.start, so_far.rows if so_far else 0)
                    self._scales[name] = so_far.merge(sketch) if so_far else sketch

    @property
    def nonfinite_inputs(self) -> tuple[NonfiniteInput, ...]:
        """Return the inputs with NaN or infinities so far."""
        return tuple(self._nonfinite.values())

    @property
    def scales(self) -> tuple[InputScale, ...]:
        """Return the scales of the floating-point inputs."""
        found = ((name, sketch.summary(name, self._hints.get(name))) for name, sketch in self._scales.items())
        return tuple(replace(scale, has_sample_axis=name not in self._whole) for name, scale in found if scale)

    @property
    def spreads(self) -> tuple[SampleSpread, ...]:
        """Return the spread of the samples of each output, in Python."""
        found = (spread.summary(name) for name, spread in self._spreads.items())
        return tuple(spread for spread in found if spread)

    def add_reference(self, size_runtime: RuntimeId, size: Tensors, classes: Tensors, start: int, count: int) -> None:
        """Measure the noise floor, float32 in Python against float64, for `count` samples from `start`."""
        self.size_runtime = size_runtime
        self._digest(RuntimeId(size_runtime.engine, "float32"), classes)
        for name, value in classes.items():
            if self._has_rows(name, value, count):
                self._spreads.setdefault(name, Spread()).add(value)
        if size_runtime.kind == "float64":
            for name, reference in size.items():
                sampled = self._has_rows(name, classes[name], count)
                measured = measure(classes[name], reference, reference, start=start, has_sample_axis=sampled, name=name)
                _merge_into(self.floor, name, measured)

    def add(
        self, runtime: RuntimeId, outputs: Tensors, size: Tensors, classes: Tensors, start: int, count: int
    ) -> None:
        """Measure one batch of a candidate: `count` samples from `start`."""
        if start == 0 and len(outputs) > 1:
            self.pairing_hints += better_pairings(runtime, outputs, size)
        into = self.statistics.setdefault(runtime, {})
        self._digest(runtime, outputs)
        for name, reference in size.items():
            measured = self._measure(runtime, name, outputs[name], reference, classes[name], start, count)
            _merge_into(into, name, measured)

    def add_answer(
        self, runtime: RuntimeId, first: Tensors, again: Tensors, size: Tensors, classes: Tensors, count: int
    ) -> None:
        """Measure a later answer to the first batch, of `count` samples, and its change from the first answer."""
        for name, reference in size.items():
            answers = self._answers.setdefault((runtime, name), [])
            if not answers:
                answers.append(self._measure(runtime, name, first[name], reference, classes[name], 0, count))
            answers.append(self._measure(runtime, name, again[name], reference, classes[name], 0, count))
            answers.append(self._measure(runtime, name, again[name], first[name], first[name], 0, count))

    def answers(self, runtime: RuntimeId, tensor: str) -> tuple[Statistics, list[Statistics], list[Statistics]]:
        """Return the measurements of the first answer, of the later answers, and of their changes."""
        first, *later = self._answers[runtime, tensor]
        return first, later[::2], later[1::2]

    def _measure(
        self, runtime: RuntimeId, name: str, output: Array, reference: Array, classes: Array, start: int, count: int
    ) -> Statistics:
        limits = self._tolerance.of(name, runtime)
        if reference.shape != classes.shape:  # the shape depends on values, which differ in float64
            reference = classes
        return measure(
            output,
            reference,
            classes,
            start=start,
            rtol=limits.rtol,
            atol=limits.atol,
            precision_bits=precision_bits(runtime, self._environment_of(runtime)),
            has_sample_axis=self._has_rows(name, classes, count),
            name=name,
        )

    def _has_rows(self, name: str, reference: Array, count: int) -> bool:
        """Tell whether an output has one row for each sample, as its signature says."""
        self._sampled[name] = self._sampled[name] and reference.shape[:1] == (count,)
        return self._sampled[name]

    @property
    def signature(self) -> Signature:
        """Return the model's signature.

        An output whose number of rows differed from the samples has no sample axis.
        """
        outputs = tuple(replace(spec, has_sample_axis=self._sampled[spec.name]) for spec in self._signature.outputs)
        return replace(self._signature, outputs=outputs)

    def digest(self, runtime: RuntimeId, tensor: str) -> str | None:
        """Return the SHA-256 of a runtime's output so far, independent of the batch size."""
        found = self._digests.get((runtime, tensor))
        return found.hexdigest() if found else None

    def _digest(self, runtime: RuntimeId, outputs: Tensors) -> None:
        for name, value in outputs.items():
            self._digests.setdefault((runtime, name), hashlib.sha256()).update(np.ascontiguousarray(value).data)


def conclude(saved: SavedRun, measurements: Measurements, options: Options) -> Report:
    """Compare, diagnose and judge; the same for a live run and a saved one."""
    comparisons = assess(_summaries(saved, measurements), options=options.tolerance, nan=options.nan)
    power = judge_power(saved.power, comparisons) if saved.power else None
    findings = _findings(saved, measurements, comparisons, power, options)
    return Report(
        pycheck_version=__version__,
        model=saved.model,
        artifact=saved.artifact,
        litert_artifact=saved.litert_artifact,
        inputs=saved.inputs,
        runtimes=saved.runtimes,
        comparisons=comparisons,
        findings=findings,
        verdict=decide(comparisons, runtimes=saved.runtimes, findings=findings, nan=options.nan),
        command=saved.command,
        power=power,
    )


def _findings(
    saved: SavedRun,
    measurements: Measurements,
    comparisons: tuple[Comparison, ...],
    power: Power | None,
    options: Options,
) -> tuple[Finding, ...]:
    """Diagnose the runtimes of each artifact as a case of its own: an error that all of them show is the artifact's."""
    found: list[Finding] = []
    answer_limits = _answer_limits(saved, measurements, comparisons, options)
    for litert in sorted({runtime.is_litert for runtime in saved.candidates}):
        own = {runtime for runtime in saved.candidates if runtime.is_litert is litert}
        others = set(saved.candidates) - own
        hints = [hint for hint in measurements.pairing_hints if hint.candidate in own]
        findings = diagnose(
            [c for c in comparisons if c.candidate not in others],
            runtimes=[record for record in saved.runtimes if record.id not in others],
            model=saved.model,
            artifact=saved.litert_artifact if litert else saved.artifact,
            nonfinite_inputs=saved.nonfinite_inputs,
            input_elements=saved.input_elements,
            pairing_hints=sorted(hints, key=lambda hint: saved.candidates.index(hint.candidate)),
            nan=options.nan,
            evidence=saved.evidence.without_artifact() if litert else replace(saved.evidence, faulty_parts={}),
            power=None if litert and others else power,
            spreads=measurements.spreads,
            answer_limits=answer_limits,
        )
        found += [finding for finding in findings if finding not in found]
    return by_severity(found)


def _summaries(saved: SavedRun, measurements: Measurements) -> tuple[Comparison, ...]:
    """Yield the noise floor's rows first, then each candidate's, outputs in the model's order."""
    outputs = saved.model.signature.outputs
    single, _ = saved.model.references
    environments = {record.id: record.environment for record in saved.runtimes}
    reference = environments.get(measurements.size_runtime)
    in_float32 = reference.in_float32 if reference else {}
    by_runtime: dict[RuntimeId, Mapping[str, Statistics]] = {single: measurements.floor}
    by_runtime |= {runtime: measurements.statistics.get(runtime, {}) for runtime in saved.candidates}
    noises = {(noise.is_litert, noise.tensor): noise for noise in saved.evidence.quantization_noise}
    sums = {noise.tensor: noise for noise in saved.evidence.summation_noise}
    return tuple(
        replace(
            summarize(
                statistics[spec.name],
                tensor=spec.name,
                reference=measurements.size_runtime,
                candidate=runtime,
                class_reference=measurements.size_runtime if runtime == single else single,
                noise_floor=(
                    None if runtime == single or spec.name in in_float32 else measurements.floor.get(spec.name)
                ),
            ),
            floor_assumed_for=in_float32.get(spec.name, ()),
            outputs_sha256=measurements.digest(runtime, spec.name),
            has_sample_axis=spec.has_sample_axis,
            quantization_noise=None if runtime == single else noises.get((runtime.is_litert, spec.name)),
            summation_noise=None if runtime == single else sums.get(spec.name),
        )
        for runtime, statistics in by_runtime.items()
        for spec in outputs
        if spec.name in statistics
    )


def _answer_limits(
    saved: SavedRun, measurements: Measurements, comparisons: tuple[Comparison, ...], options: Options
) -> list[AnswerLimits]:
    """Judge the answers that changed by the limits of the whole run."""
    single, _ = saved.model.references
    runs = {(c.candidate, c.tensor): c for c in comparisons}
    found: list[AnswerLimits] = []
    for answer in saved.evidence.changed_answers:
        if answer.after == "kept":
            continue
        summary = partial(
            summarize, tensor=answer.tensor, reference=measurements.size_runtime, candidate=answer.runtime,
            class_reference=single,
        )  # fmt: skip
        first, again, changes = measurements.answers(answer.runtime, answer.tensor)
        judged = judge_answers(
            runs[answer.runtime, answer.tensor],
            summary(first),
            [*map(summary, again)],
            [*map(summary, changes)],
            options=options.tolerance,
            nan=options.nan,
        )
        found.append(judged)
    return found


def _merge_into(into: dict[str, Statistics], name: str, measured: Statistics) -> None:
    into[name] = merge(into[name], measured) if name in into else measured
