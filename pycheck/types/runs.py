"""The parts of a run, and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from .names import ARTIFACT_LITERT, RuntimeId, Signature, Tensors


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The user's model. `format` is keras-v3, keras-h5, saved-model, keras-object, tfjs or tflite."""

    path: str
    format: str
    sha256: str
    signature: Signature

    @property
    def is_artifact(self) -> bool:
        """Tell whether the model is itself an artifact, a TF.js model or a .tflite file, which Python runs."""
        return self.format in ("tfjs", "tflite")

    @property
    def references(self) -> tuple[RuntimeId, RuntimeId]:
        """Return the runtimes that candidates are compared with: float32 for classes, float64 for sizes of errors.

        For a TF.js model, Python runs the artifact itself. A .tflite file has no float64: both are the same.
        """
        if self.format == "tflite":
            return ARTIFACT_LITERT, ARTIFACT_LITERT
        engine = "artifact" if self.format == "tfjs" else "native"
        return RuntimeId(engine, "float32"), RuntimeId(engine, "float64")


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """The artifact that the browser loads: a folder with model.json and its weight shards, or with a .tflite file.

    `inputs` and `outputs` name the artifact's own tensors, in the artifact's order.
    `input_names` and `output_names` map the model's names to the artifact's.
    """

    folder: Path
    format: str  # "layers", "graph" or "tflite"
    quantization: str  # "none", "float16", "uint16", "uint8"; of a tflite also "dynamic", "int8"
    size_bytes: int
    converter: str  # such as "pycheck 0.1.0, tensorflowjs 4.22.0"
    reason: str  # the reason for this format; empty if the user chose it
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_names: Mapping[str, str]
    output_names: Mapping[str, str]
    notes: tuple[str, ...] = ()  # rewrites for the report, such as "Erfc -> 1 - Erf (2 nodes)"
    model_file: str = "model.json"
    weights_sha256: str | None = None  # of the weights in a model.json, of a whole .tflite file


@dataclass(frozen=True, slots=True)
class InputsInfo:
    """The origin of the inputs; `path` is None if they were generated from the signature.

    `sample_count` is 1 if no input has a sample axis: the model runs once.
    """

    path: str | None
    sha256: str
    sample_count: int
    notes: tuple[str, ...] = ()  # such as "x: float64 rounded to float32"
    ids: tuple[str, ...] = ()  # inputs with indices of tables, which have no scale


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of `size` consecutive samples. `start` is the index of the first in the whole input.

    The inputs named in `whole` have no sample axis: every batch holds their whole value.
    """

    index: int
    start: int
    tensors: Tensors
    size: int
    whole: frozenset[str] = frozenset()


class RuntimeStatus(StrEnum):
    """The state of a runtime at its end."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment of a runtime. None means: does not apply, or is unknown."""

    library: str  # "tensorflow 2.19.0", "tfjs 4.22.0"
    platform: str | None = None  # "Chromium 156.0.1 (headless)", "CPython 3.11.7, Linux x86_64"
    backend: str | None = None  # the active backend of TF.js
    renderer: str | None = None  # GPU renderer string, unmasked if the browser allows it
    software_renderer: bool | None = None
    float_bits: int | None = None  # 16, 32 or 64, probed with a real kernel
    denormals: str | None = None  # "kept" or "flushed", probed with a real kernel
    epsilon: float | None = None
    sandbox: bool | None = None  # whether the browser's own sandbox was on
    user_agent: str | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)  # backend flags in force
    flags_set: Mapping[str, Any] = field(default_factory=dict)  # flags that differ from TF.js's defaults
    cpu_kernels: tuple[str, ...] = ()  # kernels that ran on TF.js's CPU backend on request
    left_to_cpu: tuple[str, ...] = ()  # operations that LiteRT.js ran on the CPU instead of the GPU, with the reason
    # For a runtime in float64: outputs after operations that had to run in float32, with these operations.
    in_float32: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # "float64: op X has no float64 kernel, ran in float32 (2 nodes)"


@dataclass(frozen=True, slots=True)
class RuntimeRecord:
    """One runtime of a run: its environment, its status, and its times (seconds by step)."""

    id: RuntimeId
    status: RuntimeStatus
    environment: Environment | None
    timings_s: Mapping[str, float]
    error: str | None = None
    excused: str | None = None  # set by the gate: why its failure does not count
    kept_at: str | None = None  # the time (UTC) of the run that gave these answers, if it is an earlier one

    @property
    def failed(self) -> bool:
        """Tell whether it is a reason for the gate to fail. Without float64 in Python the noise floor is assumed."""
        return self.status is not RuntimeStatus.OK and self.id.kind != "float64" and self.excused is None
