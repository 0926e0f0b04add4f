"""Defines every message between Python and the page.

The page opens a WebSocket and sends `Hello`. Python sends commands, one at a time to a page; the page answers each
with the reply of the same `id`, or with `Failed`. `Event` is not an answer. Messages are JSON objects with a `type`.
Tensors are safetensors bytes over HTTP. Numbers that may not be finite are not JSON numbers: flags have "Infinity" as
a string, and probes have their bits as unsigned integers.

`js_harness/src/protocol.d.ts` is generated from this package by js_harness/generate_protocol.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from ..errors import RuntimeFailedError
from .devices import Arrived, CloseFrame, OpenFrame, Welcome
from .files import FileOffer, FileResult, Prepare, Prepared
from .page import Event, Failed, FailureCode, Hello, Probes, Start, Started
from .predicting import Job, JobFailure, Load, Loaded, Predict, Predicted, Ran, Run, Take, TensorDescription
from .strict import Dtype, FlagValue
from .training import Compile, Compiled, PageRecipe, Penalty, Train, Trained

__all__ = [
    "COMMANDS",
    "DEVICE_COMMANDS",
    "PAGE_MESSAGES",
    "PROTOCOL_VERSION",
    "Arrived",
    "CloseFrame",
    "Command",
    "Compile",
    "Compiled",
    "DeviceCommand",
    "Dtype",
    "Event",
    "Failed",
    "FailureCode",
    "FileOffer",
    "FileResult",
    "FlagValue",
    "Hello",
    "Job",
    "JobFailure",
    "Load",
    "Loaded",
    "OpenFrame",
    "PageMessage",
    "PageRecipe",
    "Penalty",
    "Predict",
    "Predicted",
    "Prepare",
    "Prepared",
    "Probes",
    "Ran",
    "Reply",
    "Run",
    "Start",
    "Started",
    "Take",
    "TensorDescription",
    "Train",
    "Trained",
    "Welcome",
    "decode_arrived",
    "decode_command",
    "decode_page_message",
    "encode",
    "encode_for_device",
]

PROTOCOL_VERSION = 7

Command = Start | Load | Predict | Run | Take | Compile | Train | Prepare
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
