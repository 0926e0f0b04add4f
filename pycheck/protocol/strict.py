"""The configuration of all messages, and the types of their fields."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

#: The types of TF.js's flags; Infinity and NaN are the strings "Infinity", "-Infinity", "NaN".
FlagValue = bool | int | float | str
Dtype = Literal["float32", "int32", "bool", "complex64"]

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
