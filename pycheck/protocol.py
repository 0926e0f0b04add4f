"""Defines every message between Python and the page.

The page opens a WebSocket and sends `Hello`. Python sends commands, one at a time to a page; the page answers each
with the reply of the same `id`, or with `Failed`. `Event` is not an answer. Messages are JSON objects with a `type`.
Tensors are safetensors bytes over HTTP. Numbers that may not be finite are not JSON numbers: flags have "Infinity" as
a string, and probes have their bits as unsigned integers.

`js_harness/src/protocol.d.ts` is generated from this file by js_harness/generate_protocol.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from .errors import RuntimeFailedError

PROTOCOL_VERSION = 6

#: The types of TF.js's flags; Infinity and NaN are the strings "Infinity", "-Infinity", "NaN".
FlagValue = bool | int | float | str
Dtype = Literal["float32", "int32", "bool", "complex64"]

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


# ------------------------------------------------------------------ Python to the page


@dataclass(frozen=True, slots=True, config=_STRICT)
class Start:
    """Set the flags, then start one backend of TF.js, or one accelerator of LiteRT.js, and prove that it runs."""

    id: int
    backend: Literal["cpu", "wasm", "webgl", "webgpu", "litert-wasm", "litert-webgpu"]
    flags: Mapping[str, FlagValue]
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Job:
    """One execution between points within the artifact: from the tensors named `inputs` to those named `outputs`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Take:
    """Send outputs that stayed in the page, with their names, and dispose them there."""

    id: int
    names: tuple[str, ...]
    outputs_url: str
    upload_streams: int
    type: Literal["take"] = "take"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Penalty:
    """The penalty for one weight: l1 times the sum of its magnitudes, plus l2 times that of its squares."""

    weight: str
    l1: float
    l2: float


@dataclass(frozen=True, slots=True, config=_STRICT)
class PageRecipe:
    """The training recipe in the terms of TF.js.

    `settings` are Keras's names of an optimizer's arguments; without `epsilon` it takes TF.js's own. `loss` is TF.js's
    name, or "formula" with a `program` for pycheck/training/formula.py's stack. Weights that are in `frozen`, by the
    artifact's names, are not trained.
    """

    optimizer: Literal["sgd", "momentum", "rmsprop", "adagrad", "adadelta", "adam", "adamax"]
    learning_rate: float
    settings: Mapping[str, float]
    epsilon: float | None
    loss: str
    from_logits: bool
    program: tuple[str, ...]
    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None
    penalties: tuple[Penalty, ...]
    frozen: tuple[str, ...]
    batch_size: int


@dataclass(frozen=True, slots=True, config=_STRICT)
class Compile(PageRecipe):
    """Fetch the training data and make the loaded layers model ready to be trained from its initial weights.

    `inputs` and `targets` name tensors of the fetched file, in the artifact's order. Of a variable with more than
    `seen_elements`, every so many-th is sent back in each step; layers' results are, where they all together have at
    most `activation_elements`. The initial weights are sent to `outputs_url`, named by their index.
    """

    id: int
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    seen_elements: int
    activation_elements: int
    inputs_url: str
    outputs_url: str
    upload_streams: int
    type: Literal["compile"] = "compile"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Train:
    """Train on consecutive batches with TF.js's own trainOnBatch, repeating the data.

    With `observe`, each step's gradient before clipping, weights after it and layers' results are sent back as one
    tensor ``step/0``, ``step/1``, ..., in this order; ``sizes`` are those of the layers' results by step, ``loss`` the
    losses. Without, only the losses are sent.
    """

    id: int
    first_step: int
    step_count: int
    observe: bool
    outputs_url: str
    upload_streams: int
    type: Literal["train"] = "train"


@dataclass(frozen=True, slots=True, config=_STRICT)
class FileOffer:
    """A file of the user's: its own name, its media type, and its URL, which is relative to the page."""

    name: str
    media_type: str
    url: str


@dataclass(frozen=True, slots=True, config=_STRICT)
class Prepare:
    """Call the function `export` of the user's module for files, one after the other: ``function(file, tf)``.

    If it makes a sample, it returns a tensor of one sample or an object of them, perhaps as a promise. One tensor gets
    the only name in `names`; the keys of an object must be these names. The page answers after the first file that ends
    `batch_s` seconds or `batch_bytes` bytes of tensors; its answer may therefore have fewer files than it was given.
    The safetensors file that is sent back names a tensor ``0/name``, with the number of its file. A file that fails
    does not end the others. A file that has no result after `file_timeout_s` seconds fails; so does a module that has
    not loaded by then.

    If it makes a decision, each file is a safetensors file with the outputs of one sample, and the call is
    ``function(outputs, tf)``: the tensor of the only name, or an object of tensors by the names. What it returns is
    sent back as JSON, and no tensor is.
    """

    id: int
    module_url: str
    export: str
    names: tuple[str, ...]
    files: tuple[FileOffer, ...]
    file_timeout_s: float
    batch_s: float
    batch_bytes: int
    outputs_url: str
    upload_streams: int
    makes: Literal["sample", "decision"] = "sample"
    type: Literal["prepare"] = "prepare"


Command = Start | Load | Predict | Run | Take | Compile | Train | Prepare


# ------------------------------------------------------------------ the page to Python


@dataclass(frozen=True, slots=True, config=_STRICT)
class Hello:
    """The first message: the page has connected."""

    protocol_version: int
    user_agent: str
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Probes:
    """Results of real kernels, as the bits of each float32, which Python interprets.

    The kernel is an elementwise product of tensors that are too large for TF.js's CPU forwarding. `significand` is
    2049 x 1 and 16777215 x 1: 12 and 24 significant bits. `denormals_float32` is 2^-126 x 0.5 and 2^-127 x 1;
    `denormals_float16` is 2^-14 x 0.5 and 2^-15 x 1. `limits_float16` is 2051 x 1, which lies between two half floats,
    and 70000 x 1, which exceeds all of them.
    """

    significand: tuple[int, ...]
    denormals_float32: tuple[int, ...]
    denormals_float16: tuple[int, ...]
    limits_float16: tuple[int, ...]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Started:
    """The backend runs, with this environment.

    `library` is such as "tfjs 4.22.0". `flags` are the present values, `flags_default` the defaults, and
    `flags_unknown` the requested flags that no loaded module has.
    """

    id: int
    library: str
    backend: str
    renderer: str | None
    software_renderer: bool | None
    epsilon: float | None
    flags: Mapping[str, FlagValue]
    flags_default: Mapping[str, FlagValue]
    flags_unknown: tuple[str, ...]
    wasm_threads: int | None
    wasm_simd: str
    probes: Probes
    notes: tuple[str, ...]
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, config=_STRICT)
class TensorDescription:
    """A tensor as TF.js describes it; null is an open dimension."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class JobFailure:
    """The reason why the job with this number has no result."""

    job: int
    message: str


@dataclass(frozen=True, slots=True, config=_STRICT)
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


@dataclass(frozen=True, slots=True, config=_STRICT)
class Compiled:
    """The model can be trained. `variables` are the trainable weights, then the others, by their original names."""

    id: int
    variables: tuple[TensorDescription, ...]
    trainable_count: int
    type: Literal["compiled"] = "compiled"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Trained:
    """The steps have run. `layers` name those whose results were sent, in the order of their calls; seconds as above.

    `compute_s` includes reading the kept tensors from the backend.
    """

    id: int
    layers: tuple[str, ...]
    compute_s: float
    upload_s: float
    tensor_count: int
    type: Literal["trained"] = "trained"


@dataclass(frozen=True, slots=True, config=_STRICT)
class FileResult:
    """What became of one file.

    `failure` is a code of pycheck.types.FileFailure, or null if the file has tensors, and `message` describes it.
    `leaked_tensors` is the number of tensors that exist in addition afterwards, without those that were returned.
    `decision` is JSON, in which numbers may be NaN, Infinity and -Infinity, as Python's json writes them.
    """

    failure: Literal["unreadable", "threw", "network", "timeout", "result"] | None
    message: str
    leaked_tensors: int
    compute_s: float
    decision: str | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class Prepared:
    """The first files of Prepare are done, and their tensors have arrived; seconds as in Predicted.

    `backend` is the backend of TF.js that the function used. `requested` lists addresses that the module requested, and
    that the page's policy refused.
    """

    id: int
    files: tuple[FileResult, ...]
    backend: str
    requested: tuple[str, ...]
    download_s: float
    upload_s: float
    tensor_count: int
    type: Literal["prepared"] = "prepared"


FailureCode = Literal[
    "unavailable", "flag", "backend", "load", "fallback", "predict", "train", "gpu", "transfer", "app"
]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Failed:
    """A command failed.

    `unavailable`: this browser lacks the feature. `fallback`: LiteRT.js would run on a different accelerator. `gpu`:
    the GPU failed or was lost. `app`: the user's module does not load, or lacks the export.
    """

    id: int
    code: FailureCode
    message: str
    stack: str
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Event:
    """An event outside of commands, which ends the runtime."""

    code: Literal["context-lost", "device-lost", "gpu-error", "uncaught"]
    message: str
    type: Literal["event"] = "event"


# ------------------------------------------------------------------ Python and the page of a device


@dataclass(frozen=True, slots=True, config=_STRICT)
class Arrived:
    """The first message of the page that a device opens; `model` is the device's, if the browser exposes it."""

    user_agent: str
    model: str | None
    is_secure_context: bool
    type: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Welcome:
    """The device's name, and the key with which its page reconnects after its connection broke."""

    name: str
    key: str
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True, config=_STRICT)
class OpenFrame:
    """Open the page of a runtime, by its path on this server, in a separate frame."""

    path: str
    type: Literal["open-frame"] = "open-frame"


@dataclass(frozen=True, slots=True, config=_STRICT)
class CloseFrame:
    """Close the page of a runtime, because it has finished or its run has gone."""

    path: str
    type: Literal["close-frame"] = "close-frame"


DeviceCommand = Welcome | OpenFrame | CloseFrame

Reply = Started | Loaded | Predicted | Ran | Compiled | Trained | Prepared | Failed
PageMessage = Hello | Started | Loaded | Predicted | Ran | Compiled | Trained | Prepared | Failed | Event

COMMANDS = (Start, Load, Predict, Run, Take, Compile, Train, Prepare)
DEVICE_COMMANDS = (Welcome, OpenFrame, CloseFrame)
PAGE_MESSAGES = (Hello, Started, Loaded, Predicted, Ran, Compiled, Trained, Prepared, Failed, Event)

_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])
_DEVICE_COMMAND: TypeAdapter[DeviceCommand] = TypeAdapter(Annotated[DeviceCommand, Field(discriminator="type")])
_ARRIVED: TypeAdapter[Arrived] = TypeAdapter(Arrived)
_PAGE_MESSAGE: TypeAdapter[PageMessage] = TypeAdapter(Annotated[PageMessage, Field(discriminator="type")])


def encode(message: Command | PageMessage) -> str:
    """Encode a message as JSON text."""
    adapter = _COMMAND if isinstance(message, COMMANDS) else _PAGE_MESSAGE
    return adapter.dump_json(message).decode()  # type: ignore[arg-type]


def encode_for_device(message: DeviceCommand) -> str:
    """Encode a message from Python to the page of a device as JSON."""
    return _DEVICE_COMMAND.dump_json(message).decode()


def decode_arrived(text: str) -> Arrived:
    """Decode the first message of a device's page; ValueError for a different message."""
    return _ARRIVED.validate_json(text)


def decode_command(text: str) -> Command:
    """Decode a message from Python; ValueError if it is not a command."""
    return _COMMAND.validate_json(text)


def decode_page_message(text: str) -> PageMessage:
    """Decode a message from the page; RuntimeFailedError if it is not a message of this protocol."""
    try:
        return _PAGE_MESSAGE.validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()[:3])
        raise RuntimeFailedError(
            f"The page sent a message that does not fit protocol version {PROTOCOL_VERSION}: {problems}: {text[:200]}",
            "Rebuild the page: npm run build",
        ) from None
