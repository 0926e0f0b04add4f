"""Messages between Python and the page that a device opens, which has a frame for the page of each runtime."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from .strict import STRICT


@dataclass(frozen=True, slots=True, config=STRICT)
class Arrived:
    """The first message of the page that a device opens; `model` is the device's, if the browser exposes it."""

    user_agent: str
    model: str | None
    is_secure_context: bool
    type: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True, config=STRICT)
class Welcome:
    """The device's name, and the key with which its page reconnects after its connection broke."""

    name: str
    key: str
    type: Literal["welcome"] = "welcome"


@dataclass(frozen=True, slots=True, config=STRICT)
class OpenFrame:
    """Open the page of a runtime, by its path on this server, in a separate frame."""

    path: str
    type: Literal["open-frame"] = "open-frame"


@dataclass(frozen=True, slots=True, config=STRICT)
class CloseFrame:
    """Close the page of a runtime, because it has finished or its run has gone."""

    path: str
    type: Literal["close-frame"] = "close-frame"
