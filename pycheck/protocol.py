"""Every message between Python and the page, so that there is one place to change one.

The page opens a WebSocket and says `Hello`. Python sends commands, one at a time a page;
the page answers each with the reply of the same `id`, or with `Failed`. `Event` comes
unasked. Messages are JSON objects with a `type`; tensors never travel here, they are
safetensors bytes over HTTP, and a number that may not be finite is never JSON: flags
say "Infinity" as a string and probes say their bits as unsigned integers.

`js_harness/src/protocol.d.ts` is generated from this file by js_harness/generate_protocol.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from .errors import RuntimeFailedError

PROTOCOL_VERSION = 3

#: What TF.js lets a flag be; Infinity and NaN are the strings "Infinity", "-Infinity", "NaN".
FlagValue = bool | int | float | str
Dtype = Literal["float32", "int32", "bool", "complex64"]

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


# ------------------------------------------------------------------ Python to the page


@dataclass(frozen=True, slots=True, config=_STRICT)
class Start:
    """Set the flags, then start one backend of TF.js and prove that it runs."""

    id: int
    backend: Literal["cpu", "wasm", "webgl", "webgpu"]
    flags: Mapping[str, FlagValue]
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Load:
    """Load the model.json at `url`, which is relative to the page.

    `cpu_kernels` are those that TF.js's CPU backend is to run instead of the active one; "*" is all.
    """

    id: int
    format: Literal["layers", "graph"]
    url: str
    cpu_kernels: tuple[str, ...] = ()
    type: Literal["load"] = "load"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Predict:
    """Fetch the input tensors, run the model, send the output tensors back.

    `inputs` and `outputs` are the artifact's names in the artifact's order; the fetched
    safetensors file names its tensors by `inputs`, the one sent back by `outputs`. It is
    sent as up to `upload_streams` ranges side by side, which is what makes it fast.
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
    """One execution between points inside of the artifact: from the tensors named `inputs` to those named `outputs`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Run:
    """Fetch tensors, named by points and inputs, then execute jobs on them one after the other.

    The safetensors file that is sent back names an output ``0/name``, with the number of its
    job. Without `outputs_url` nothing is sent: the outputs stay in the page under their own
    names, and what stayed there before is let go. A job that fails does not end the others.
    """

    id: int
    jobs: tuple[Job, ...]
    inputs_url: str
    outputs_url: str | None
    upload_streams: int
    type: Literal["run"] = "run"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Take:
    """Send outputs back, under their names, that stayed in the page, and let go of them there."""

    id: int
    names: tuple[str, ...]
    outputs_url: str
    upload_streams: int
    type: Literal["take"] = "take"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Penalty:
    """What is added to the loss for one weight: l1 times the sum of its magnitudes, l2 times that of its squares."""

    weight: str
    l1: float
    l2: float


@dataclass(frozen=True, slots=True, config=_STRICT)
class PageRecipe:
    """How TF.js is to train, in its own words.

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
    """Train on consecutive batches with TF.js's own trainOnBatch, the data again and again from its start.

    With `observe`, each step's gradient before clipping, weights after it and layers' results are sent back as
    one tensor ``step/0``, ``step/1``, ..., in this order; ``sizes`` are those of the layers' results by step,
    ``loss`` the losses. Without, the losses alone.
    """

    id: int
    first_step: int
    step_count: int
    observe: bool
    outputs_url: str
    upload_streams: int
    type: Literal["train"] = "train"


Command = Start | Load | Predict | Run | Take | Compile | Train


# ------------------------------------------------------------------ the page to Python


@dataclass(frozen=True, slots=True, config=_STRICT)
class Hello:
    """The first message: the page is there."""

    protocol_version: int
    user_agent: str
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Probes:
    """What real kernels gave, as the bits of each float32, for Python to judge.

    The kernel is an elementwise product of tensors too large for TF.js to hand to the CPU.
    `significand` is 2049 x 1 and 16777215 x 1: 12 and 24 significant bits.
    `denormals_float32` is 2^-126 x 0.5 and 2^-127 x 1; `denormals_float16` is
    2^-14 x 0.5 and 2^-15 x 1. `limits_float16` is 2051 x 1, which lies between two half floats,
    and 70000 x 1, which lies above them all.
    """

    significand: tuple[int, ...]
    denormals_float32: tuple[int, ...]
    denormals_float16: tuple[int, ...]
    limits_float16: tuple[int, ...]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Started:
    """The backend runs; what it is.

    `flags` are those in force, `flags_default` what each would be if none had been set,
    `flags_unknown` those asked for that nothing loaded here has.
    """

    id: int
    tfjs_version: str
    backend: str
    renderer: str | None
    software_renderer: bool | None
    epsilon: float
    flags: Mapping[str, FlagValue]
    flags_default: Mapping[str, FlagValue]
    flags_unknown: tuple[str, ...]
    wasm_threads: int | None
    probes: Probes
    notes: tuple[str, ...]
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, config=_STRICT)
class TensorDescription:
    """A tensor as TF.js describes it; null is a dimension that it leaves open."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True, config=_STRICT)
class Loaded:
    """The model is in the page."""

    id: int
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    tensor_count: int
    type: Literal["loaded"] = "loaded"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Predicted:
    """One batch is computed and its outputs have arrived.

    Seconds by the page's clock. `tensor_count` is what TF.js holds afterwards: where it
    grows from batch to batch, something leaks. `cpu_kernels` are those of Load that were used so far.
    """

    id: int
    method: Literal["predict", "execute", "executeAsync"]
    download_s: float
    compute_s: float
    upload_s: float
    tensor_count: int
    cpu_kernels: tuple[str, ...] = ()
    type: Literal["predicted"] = "predicted"


@dataclass(frozen=True, slots=True, config=_STRICT)
class JobFailure:
    """Why the job of this number gave nothing."""

    job: int
    message: str


@dataclass(frozen=True, slots=True, config=_STRICT)
class Ran:
    """The jobs are done, or held outputs sent; `failed` lists the jobs that gave nothing. Seconds as in Predicted."""

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
    """The steps are done. `layers` name those whose results were sent, in the order of their calls; seconds as above.

    `compute_s` is the steps with what was kept of each, until everything is read from the backend.
    """

    id: int
    layers: tuple[str, ...]
    compute_s: float
    upload_s: float
    tensor_count: int
    type: Literal["trained"] = "trained"


FailureCode = Literal["unavailable", "flag", "backend", "load", "predict", "train", "gpu", "transfer"]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Failed:
    """A command failed. `unavailable`: this browser has no such thing; `gpu`: it broke or was lost."""

    id: int
    code: FailureCode
    message: str
    stack: str
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Event:
    """Something that nobody asked for and that ends the runtime."""

    code: Literal["context-lost", "device-lost", "gpu-error", "uncaught"]
    message: str
    type: Literal["event"] = "event"


# ------------------------------------------------------------------ Python and the page of a device


@dataclass(frozen=True, slots=True, config=_STRICT)
class Arrived:
    """The first message of the page that a device opens; `model` is the device's, where the browser tells it."""

    user_agent: str
    model: str | None
    is_secure_context: bool
    type: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Welcome:
    """What the device is called, and the key that lets its page come back when its connection broke."""

    name: str
    key: str
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True, config=_STRICT)
class OpenFrame:
    """Open the page of a runtime, by its path on this server, in a frame of its own."""

    path: str
    type: Literal["open-frame"] = "open-frame"


@dataclass(frozen=True, slots=True, config=_STRICT)
class CloseFrame:
    """Let go of the page of a runtime: it is done with, or what asked for it is gone."""

    path: str
    type: Literal["close-frame"] = "close-frame"


DeviceCommand = Welcome | OpenFrame | CloseFrame

Reply = Started | Loaded | Predicted | Ran | Compiled | Trained | Failed
PageMessage = Hello | Started | Loaded | Predicted | Ran | Compiled | Trained | Failed | Event

COMMANDS = (Start, Load, Predict, Run, Take, Compile, Train)
DEVICE_COMMANDS = (Welcome, OpenFrame, CloseFrame)
PAGE_MESSAGES = (Hello, Started, Loaded, Predicted, Ran, Compiled, Trained, Failed, Event)

_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])
_DEVICE_COMMAND: TypeAdapter[DeviceCommand] = TypeAdapter(Annotated[DeviceCommand, Field(discriminator="type")])
_ARRIVED: TypeAdapter[Arrived] = TypeAdapter(Arrived)
_PAGE_MESSAGE: TypeAdapter[PageMessage] = TypeAdapter(Annotated[PageMessage, Field(discriminator="type")])


def encode(message: Command | PageMessage) -> str:
    """The message as JSON text."""
    adapter = _COMMAND if isinstance(message, COMMANDS) else _PAGE_MESSAGE
    return adapter.dump_json(message).decode()  # type: ignore[arg-type]


def encode_for_device(message: DeviceCommand) -> str:
    """Encode a message from Python to the page of a device as JSON."""
    return _DEVICE_COMMAND.dump_json(message).decode()


def decode_arrived(text: str) -> Arrived:
    """Read the first message of the page of a device; ValueError where it is another."""
    return _ARRIVED.validate_json(text)


def decode_command(text: str) -> Command:
    """Read what Python sends; ValueError where it is no command."""
    return _COMMAND.validate_json(text)


def decode_page_message(text: str) -> PageMessage:
    """Read what the page sends; RuntimeFailedError where it is no message of this protocol."""
    try:
        return _PAGE_MESSAGE.validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()[:3])
        raise RuntimeFailedError(
            f"The page sent a message that does not fit protocol version {PROTOCOL_VERSION}: {problems}: {text[:200]}",
            "Rebuild the page: npm run build",
        ) from None
