"""Converts a model and verifies the artifact: it runs once in TF.js, judged as `compare` judges.

The result, and the exit code of `pycheck convert`:

- The artifact passes the gate: it is verified, exit code 0.

- It runs, but its numbers fail the gate, as with coarse quantization: it is written, but not verified; exit code 1.

- TF.js does not run it, or its outputs have a different shape: nothing is written; exit code 4.

- No browser starts or answers in time: it is written, but not verified; exit code 3.

Without verification on purpose, the exit code is 0.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConversionError, InputsFileError, RuntimeFailedError, UsageError
from ..gate import exit_code
from ..model import identify
from ..model.kind import TFJS, TFLITE
from ..options.values import Options
from ..types import ArtifactInfo, Finding, Report, RuntimeId, RuntimeRecord, RuntimeStatus, Severity, Verdict
from . import pipeline
from .pipeline import Workbench
from .setting import Observer, silent

#: The backend with TF.js's plainest kernels, LiteRT.js without a GPU, and the number of generated samples.
VERIFIER = RuntimeId("chromium", "cpu")
LITERT_VERIFIER = RuntimeId("chromium", "litert-wasm")
VERIFYING_SAMPLES = 2

_UNVERIFIED = "Convert without a check (--no-verify), or give other inputs (--inputs PATH)."


@dataclass(frozen=True, slots=True)
class Converted:
    """An artifact that was written, and the run that verified it; None without a verification."""

    artifact: ArtifactInfo
    report: Report | None

    @property
    def exit_code(self) -> int:
        """Return 0 if it is verified or was not to be verified, 1 if the gate failed, 3 if no browser could run it."""
        return exit_code(self.report) if self.report else 0

    @property
    def failure(self) -> str:
        """Return the reason why it is not verified; empty if it is, or if no verification was asked for."""
        if self.report is None or self.report.verdict is Verdict.PASS:
            return ""
        (verifier,) = _verifiers(self.report)
        error = verifier.error
        if error:
            return f"no browser could run it: {error.splitlines()[0]}"
        worst = _worst(self.report)
        return f"it fails the check on {verifier.id}: {worst.summary if worst else self.report.verdict.value}"

    @property
    def advice(self) -> str:
        """Return the advice for the failure."""
        if not self.failure:
            return ""
        if self.exit_code == 3:
            return "To check the browsers, run pycheck doctor. To convert without one, add --no-verify"
        if self.report and (cause := _cause(self.report)):
            return f"{cause.summary} {cause.advice}"
        worst = _worst(self.report) if self.report else None
        return worst.advice if worst else "To see the difference, run: pycheck compare MODEL"


def few_samples(options: Options, given: Collection[str]) -> Options:
    """Return the options of a verification: few samples, unless their number is given, or they calibrate int8."""
    return options if "samples" in given or options.quantize == "int8" else replace(options, samples=VERIFYING_SAMPLES)


async def convert(
    model: Any,
    folder: Path,
    options: Options,
    observe: Observer = silent,
    *,
    inputs: Any = None,
    verify: bool = True,
) -> Converted:
    """Convert into a new or empty folder, and verify the artifact on `inputs`.

    `inputs` is a path, arrays, or None to generate them. UsageError if the folder is not empty. ConversionError if the
    model cannot be converted, TF.js does not run the artifact, or an output has a different shape; then nothing is
    written. See the list above for the remaining results.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"Cannot write to {folder}: the folder exists and is not empty.",
            "Name a new folder. pycheck overwrites nothing.",
        )
    kind = (await asyncio.to_thread(identify, model)).format if isinstance(model, Path) else ""
    if kind in (TFJS, TFLITE):
        named = "TF.js model" if kind == TFJS else ".tflite file"
        raise UsageError(f"{model} is already a {named}.", f"To check it, run: pycheck compare {model}")
    verifier = LITERT_VERIFIER if options.format == "tflite" else VERIFIER
    options = replace(options, runtimes=(verifier,), save_run=None, tfjs_model=None, tflite_model=None, power=False)
    return await pipeline.alone(lambda bench: _converted(bench, model, folder, options, observe, inputs, verify))


async def _converted(
    bench: Workbench, model: Any, folder: Path, options: Options, observe: Observer, inputs: Any, verify: bool
) -> Converted:
    async with bench.opened(model, options, observe) as run:
        if not verify:
            return Converted(_written(await run.convert(inputs), folder), None)
        try:
            report = (await run.compare(inputs)).report
        except (RuntimeFailedError, InputsFileError) as error:  # the model fails on these inputs even in Python
            raise type(error)(error.message, f"{error.advice} {_UNVERIFIED}".strip()) from error
        (artifact,) = report.artifacts  # a failed conversion has raised
        _check_runs(report, artifact)
        return Converted(_written(artifact, folder), report)


def _check_runs(report: Report, artifact: ArtifactInfo) -> None:
    """Raise ConversionError if the library does not run the artifact, or computes a different shape."""
    (record,) = _verifiers(report)
    library = record.id.library
    if record.status is RuntimeStatus.FAILED:
        failed = next((f for f in report.findings if record.id in f.runtimes and f.severity is Severity.ERROR), None)
        if cause := _cause(report):
            raise ConversionError(
                f"{library} cannot run the {artifact.format} artifact: {failed.summary if failed else record.error}",
                f"{cause.summary} {cause.advice}",
            )
        raise ConversionError(
            f"{library} cannot run the {artifact.format} artifact: {failed.summary if failed else record.error}",
            f"{failed.advice if failed else 'Try the other --format.'} "
            "If the inputs cause the failure, give other inputs: --inputs PATH",
        )
    if wrong := next((c for c in report.comparisons if c.passed is False and c.shape_mismatch), None):
        raise ConversionError(
            f"The {artifact.format} artifact gives an output of a different shape: {wrong.tensor}, "
            f"{wrong.shape_mismatch}.",
            "Try the other --format. To see the difference on your inputs, run: pycheck compare MODEL INPUTS",
        )


def _verifiers(report: Report) -> list[RuntimeRecord]:
    return [record for record in report.runtimes if record.id in (VERIFIER, LITERT_VERIFIER)]


def _cause(report: Report) -> Finding | None:
    """Return the finding that explains the failure: the traced model differs from `predict`."""
    return next((finding for finding in report.findings if finding.code == "reference-differs"), None)


def _worst(report: Report) -> Finding | None:
    return next((finding for finding in report.findings if finding.severity is Severity.ERROR), None) or next(
        iter(report.findings), None
    )


def _written(artifact: ArtifactInfo, folder: Path) -> ArtifactInfo:
    try:
        shutil.copytree(artifact.folder, folder, dirs_exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot write to {folder}: {error}.", "Name a folder that you can write to.") from error
    return replace(artifact, folder=folder)
