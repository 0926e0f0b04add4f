"""What a run is made of, and what it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from .names import RuntimeId, Signature, Tensors


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the user trained. `format` is keras-v3, keras-h5, saved-model, keras-object or tfjs."""

    path: str
    format: str
    sha256: str
    signature: Signature

    @property
    def references(self) -> tuple[RuntimeId, RuntimeId]:
        """What its candidates are measured against: in float32 for class, in float64 for size of error.

        A TF.js model has no Python but its own.
        """
        engine = "artifact" if self.format == "tfjs" else "native"
        return RuntimeId(engine, "float32"), RuntimeId(engine, "float64")


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What the browser loads: a folder with model.json and its weight shards.

    `inputs` and `outputs` name the artifact's own tensors, in the artifact's order.
    `input_names` and `output_names` map the model's names to the artifact's.
    """

    folder: Path
    format: str  # "layers" or "graph"
    quantization: str  # "none", "float16", "uint16", "uint8"
    size_bytes: int
    converter: str  # such as "pycheck 0.1.0, tensorflowjs 4.22.0"
    reason: str  # why this format; empty when the user chose it
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_names: Mapping[str, str]
    output_names: Mapping[str, str]
    notes: tuple[str, ...] = ()  # rewrites a reader should know of, such as "Erfc -> 1 - Erf (2 nodes)"
    model_file: str = "model.json"
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class InputsInfo:
    """Where the inputs came from; `path` is None when they were made from the signature.

    `sample_count` is 1 if no input has a sample axis: the model runs once.
    """

    path: str | None
    sha256: str
    sample_count: int
    notes: tuple[str, ...] = ()  # such as "x: float64 rounded to float32"
    ids: tuple[str, ...] = ()  # inputs whose numbers, or some of them, name entries of a table: no scale is theirs


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of `size` consecutive samples. `start` is the index of the first in the whole input.

    The inputs named in `whole` have no sample axis: every batch holds the same value of them.
    """

    index: int
    start: int
    tensors: Tensors
    size: int
    whole: frozenset[str] = frozenset()


class RuntimeStatus(StrEnum):
    """How a runtime ended."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Environment:
    """What a runtime really was. None means: does not apply, or could not be learned."""

    library: str  # "tensorflow 2.19.0", "tfjs 4.22.0"
    platform: str | None = None  # "Chromium 156.0.1 (headless)", "CPython 3.11.7, Linux x86_64"
    backend: str | None = None  # what TF.js says is active
    renderer: str | None = None  # GPU renderer string, unmasked where the browser lets us
    software_renderer: bool | None = None
    float_bits: int | None = None  # 16, 32 or 64, probed with a real kernel
    denormals: str | None = None  # "kept" or "flushed", probed with a real kernel
    epsilon: float | None = None
    sandbox: bool | None = None  # whether the browser's own sandbox was on
    user_agent: str | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)  # backend flags in force
    flags_set: Mapping[str, Any] = field(default_factory=dict)  # those that were not TF.js's default
    cpu_kernels: tuple[str, ...] = ()  # those that ran on TF.js's CPU backend because they were told to
    # Of a runtime in float64: outputs behind operations that had to run in float32, with these operations.
    in_float32: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # "float64: op X has no float64 kernel, ran in float32 (2 nodes)"


@dataclass(frozen=True, slots=True)
class RuntimeRecord:
    """One runtime of a run: what it was, how it ended, what it cost (seconds by step)."""

    id: RuntimeId
    status: RuntimeStatus
    environment: Environment | None
    timings_s: Mapping[str, float]
    error: str | None = None
    excused: str | None = None  # set by the gate: why it fails nothing although it did not run

    @property
    def failed(self) -> bool:
        """Whether it is a reason for the gate to fail. Without float64 in Python the noise floor is assumed."""
        return self.status is not RuntimeStatus.OK and self.id.kind != "float64" and self.excused is None
