"""Reports of runs that failed, made by the real stages from made-up outputs, and trials that answer at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.gate import assess, decide
from pycheck.options.values import Options
from pycheck.remedies import Trial, try_remedies
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Array,
    ArtifactInfo,
    Environment,
    Finding,
    InputsInfo,
    ModelInfo,
    Remedy,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Signature,
    TensorSpec,
)

_ON = (
    "WEBGL_PACK", "WEBGL_PACK_UNARY_OPERATIONS", "WEBGL_PACK_BINARY_OPERATIONS", "WEBGL_PACK_CLIP",
    "WEBGL_PACK_REDUCE", "WEBGL_LAZILY_UNPACK", "WEBGL_CONV_IM2COL", "WEBGL_CPU_FORWARD",
)  # fmt: skip
WEBGL_FLAGS = dict.fromkeys(_ON, True) | {"WEBGL_EXP_CONV": False, "WEBGL2_ISNAN_CUSTOM": False}

_RIGHT = np.random.default_rng(0).normal(size=(16, 4))
_WRONG = _RIGHT * 1.5
_NAN = np.where(np.arange(16)[:, None] == 3, np.nan, _RIGHT)
#: How a runtime may end: what it gives, or an error.
GIVEN: Mapping[str, Array | str] = {
    "pass": _RIGHT, "near": _RIGHT * 1.002, "most": _RIGHT * 1.008, "beyond": _RIGHT * 1.012,
    "drift": _WRONG, "nan": _NAN, "broken": "no kernel for LRN",
}  # fmt: skip


def report(
    outcomes: Mapping[str, str],
    *,
    findings: tuple[Finding, ...] = (),
    artifact_format: str = "graph",
    cpu_kernels: tuple[str, ...] = (),
) -> Report:
    """Of a model from x to y; `outcomes` by runtime are the keys of GIVEN."""
    records = [RuntimeRecord(r, RuntimeStatus.OK, None, {}) for r in (NATIVE_FLOAT32, NATIVE_FLOAT64)]
    single = _RIGHT.astype(np.float32)
    floor = measure(single, _RIGHT, _RIGHT, start=0)
    comparisons = []
    for name, outcome in outcomes.items():
        runtime, given = RuntimeId.parse(name), GIVEN[outcome]
        flags: dict[str, Any] = WEBGL_FLAGS if runtime.kind.startswith("webgl") else {}
        environment = Environment("tfjs 4.22.0", float_bits=32, flags=flags, cpu_kernels=cpu_kernels)
        if isinstance(given, str):
            records.append(RuntimeRecord(runtime, RuntimeStatus.FAILED, environment, {}, given))
            continue
        records.append(RuntimeRecord(runtime, RuntimeStatus.OK, environment, {}))
        comparisons.append(
            summarize(
                measure(given.astype(np.float32), _RIGHT, single, start=0),
                tensor="y",
                reference=NATIVE_FLOAT64,
                candidate=runtime,
                class_reference=NATIVE_FLOAT32,
                noise_floor=floor,
            )
        )
    assessed = assess(comparisons)
    signature = Signature((TensorSpec("x", "float32", (None, 4)),), (TensorSpec("y", "float32", (None, 4)),))
    artifact = ArtifactInfo(
        Path("/cache/ab"), artifact_format, "none", 1000, "pycheck", "", ("x",), ("y",), {"x": "x"}, {"y": "y"}
    )
    return Report(
        pycheck_version="0.1.0",
        model=ModelInfo("m.keras", "keras-v3", "ab" * 32, signature),
        artifact=artifact,
        inputs=InputsInfo("x.npy", "cd" * 32, 16),
        runtimes=tuple(records),
        comparisons=assessed,
        findings=findings,
        verdict=decide(assessed, runtimes=records, findings=findings),
        command="pycheck trace m.keras x.npy --try-remedies",
    )


class Bench:
    """Makes trials of a run that failed; `cures` says which changes make all its runtimes pass."""

    def __init__(self, failed: Report, cures: Callable[[Trial], bool], **options: Any) -> None:
        self.failed = failed
        candidates = tuple(record.id for record in failed.runtimes if record.id.engine != "native")
        self.options = Options(runtimes=candidates, **options)
        self.trials: list[Trial] = []
        self.said: list[tuple[str, str, int, int]] = []
        self._cures = cures

    async def run(self, trial: Trial) -> Report:
        self.trials.append(trial)
        ending = "pass" if self._cures(trial) else "nan"
        used = ("Relu", "Conv2D", "Softmax", "Add") if trial.cpu_kernels == ("*",) else trial.cpu_kernels
        return report({str(runtime): ending for runtime in trial.runtimes}, cpu_kernels=used)

    def remedies(self) -> dict[str, Remedy]:
        """By kind; where several runtimes failed, of the last."""
        return {remedy.kind: remedy for remedy in self.tried().remedies}

    def tried(self) -> Report:
        """The report with its remedies."""
        return asyncio.run(
            try_remedies(self.failed, self.options, trial=self.run, observe=lambda *step: self.said.append(step))
        )


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets these kinds of remedies be tried alone."""
    from pycheck.remedies import trying as run

    def choose(*names: str) -> None:
        monkeypatch.setattr(run, "KINDS", tuple(kind for kind in run.KINDS if kind.name in names))

    return choose
