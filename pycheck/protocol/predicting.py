"""Messages that load an artifact and run it, as a whole or in parts."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .strict import STRICT


@dataclass(frozen=True, slots=True, config=STRICT)
class Load:
    """Load the model.json or the .tflite file at `url`, which is relative to the page.

    TF.js's CPU backend runs the kernels in `cpu_kernels` instead of the active one; "*" stands for all. With
    `may_use_cpu`, LiteRT.js may run the whole model on the CPU although WebGPU is requested; without, it is an error.
    """

    id: int
    format: Literal["layers", "graph", "tflite"]
    url: str
    cpu_kernels: tuple[str, ...] = ()
    may_use_cpu: bool = False
    type: Literal["load"] = "load"


@dataclass(frozen=True, slots=True, config=STRICT)
class TensorDescription:
    """A tensor as TF.js describes it; null is an open dimension."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True, config=STRICT)
class Loaded:
    """The model is loaded.

    LiteRT.js on WebGPU leaves operations that the GPU lacks to the CPU: `on_gpu` and `on_cpu` count them if there are
    any, and `left_to_cpu` has each of these with the reason, such as "GATHER: Only support 1D indices".
    """

    id: int
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    tensor_count: int
    on_gpu: int = 0
    on_cpu: int = 0
    left_to_cpu: tuple[str, ...] = ()
    type: Literal["loaded"] = "loaded"


@dataclass(frozen=True, slots=True, config=STRICT)
class Predict:
    """Fetch the input tensors, run the model, send the output tensors back.

    `inputs` and `outputs` are the artifact's names in the artifact's order, and the names of tensors in the fetched
    file and in the file that is sent back. That is sent as up to `upload_streams` parallel ranges, which is faster.
    """

    id: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs_url: str
    outputs_url: str
    upload_streams: int
    type: Literal["predict"] = "predict"


@dataclass(frozen=True, slots=True, config=STRICT)
class Predicted:
    """One batch is computed and its outputs have arrived.

    Seconds are by the page's clock. `tensor_count` is the number of TF.js's tensors afterwards: if it grows from batch
    to batch, tensors leak. `cpu_kernels` are those of Load that were used so far. `ran_on_cpu` tells whether
    LiteRT.js ran nothing on the GPU although WebGPU is requested.
    """

    id: int
    method: Literal["predict", "execute", "executeAsync", "run"]
    download_s: float
    compute_s: float
    upload_s: float
    tensor_count: int
    cpu_kernels: tuple[str, ...] = ()
    ran_on_cpu: bool = False
    type: Literal["predicted"] = "predicted"


@dataclass(frozen=True, slots=True, config=STRICT)
class Job:
    """One execution between points within the artifact: from the tensors named `inputs` to those named `outputs`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class Run:
    """Fetch tensors, named by points and inputs, then execute jobs on them one after the other.

    The safetensors file that is sent back names an output ``0/name``, with the number of its job. Without
    `outputs_url` nothing is sent: the outputs stay in the page with their own names, and earlier ones are disposed. A
    job that fails does not end the others.
    """

    id: int
    jobs: tuple[Job, ...]
    inputs_url: str
    outputs_url: str | None
    upload_streams: int
    type: Literal["run"] = "run"


@dataclass(frozen=True, slots=True, config=STRICT)
class Take:
    """Send outputs that stayed in the page, with their names, and dispose them there."""

    id: int
    names: tuple[str, ...]
    outputs_url: str
    upload_streams: int
    type: Literal["take"] = "take"


@dataclass(frozen=True, slots=True, config=STRICT)
class JobFailure:
    """The reason why the job with this number has no result."""

    job: int
    message: str


@dataclass(frozen=True, slots=True, config=STRICT)
class Ran:
    """The jobs have run, or kept outputs were sent; `failed` lists the jobs without results.

    Seconds as in Predicted.
    """

    id: int
    failed: tuple[JobFailure, ...]
    download_s: float
    compute_s: float
    upload_s: float
    tensor_count: int
    type: Literal["ran"] = "ran"
