"""Writes the page's types of the messages, js_harness/src/protocol.d.ts, from pycheck/protocol/.

Run as ``python js_harness/generate_protocol.py`` after a change of the protocol; a test
fails while the two differ.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pycheck import protocol

TARGET = Path(__file__).parent / "src" / "protocol.d.ts"
HEAD = "// Generated from pycheck/protocol/ by js_harness/generate_protocol.py. Do not edit.\n"
SCALARS = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
PARTS = (
    protocol.Probes,
    protocol.TensorDescription,
    protocol.Job,
    protocol.JobFailure,
    protocol.Penalty,
    protocol.FileOffer,
    protocol.FileResult,
)


def typescript(hint: Any) -> str:
    """A Python type hint of the protocol as a TypeScript type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(typescript(argument) for argument in arguments))
    if origin is tuple:
        return f"ReadonlyArray<{typescript(arguments[0])}>"
    if origin is Mapping:
        return f"Readonly<Record<{typescript(arguments[0])}, {typescript(arguments[1])}>>"
    if inspect.isclass(hint) and hint in PARTS:
        return hint.__name__
    raise TypeError(f"no TypeScript for {hint!r}")


def interface(message: type) -> str:
    """One message class as a TypeScript interface."""
    lines = [f"  {name}: {typescript(hint)};" for name, hint in get_type_hints(message).items()]
    docs = "\n\n".join(inspect.getdoc(of) or "" for of in message.__mro__[:-1])  # of what it extends, too
    doc = "\n".join(f" * {line}".rstrip() for line in docs.splitlines())
    return f"/**\n{doc}\n */\nexport interface {message.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def generate() -> str:
    """The whole of protocol.d.ts."""
    blocks = [HEAD, f"export type ProtocolVersion = {protocol.PROTOCOL_VERSION};\n"]
    blocks.append(f"export type FlagValue = {typescript(protocol.FlagValue)};\n")
    blocks.append(f"export type Dtype = {typescript(protocol.Dtype)};\n")
    blocks.append(f"export type FailureCode = {typescript(protocol.FailureCode)};\n")
    blocks += [interface(message) for message in (*PARTS, *protocol.COMMANDS, *protocol.PAGE_MESSAGES)]
    blocks += [interface(message) for message in (protocol.Arrived, *protocol.DEVICE_COMMANDS)]
    unions = {
        "Command": protocol.COMMANDS,
        "PageMessage": protocol.PAGE_MESSAGES,
        "DeviceCommand": protocol.DEVICE_COMMANDS,
    }
    for name, members in unions.items():
        blocks.append(f"export type {name} = {' | '.join(member.__name__ for member in members)};\n")
    return "\n".join(blocks)


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
