"""The console of a page: its last warnings and errors, and the lines that mean that a result would be wrong."""

from __future__ import annotations

import re
from collections import deque

from ...errors import RuntimeFailedError
from ...types import RuntimeId
from ..launching.base import ConsoleLine

_LINES = 5
#: LiteRT.js logs its progress on the error channel.
_CHATTER = re.compile(r"INFO: |WARNING: |%c\[LiteRT\]")
_SHADER_REFUSED = ("Error while parsing WGSL", "[Invalid ShaderModule", "[Invalid ComputePipeline")
_SHADER_ERROR_CHARACTERS = 300
#: Abseil's fatal log: the WebAssembly of the library has aborted, and the page would wait for it until the timeout.
_ABORTED = re.compile(r"F\d{4} [\d:.]+ +\d+ (\S+\] .+)", re.DOTALL)
_SHADER_ADVICE = "'s WebGPU code has no valid kernel for an operation of this model. Use a different backend."


class Console:
    """The last lines of a page of one runtime."""

    def __init__(self, id: RuntimeId) -> None:
        self._id = id
        self._last: deque[str] = deque(maxlen=_LINES)

    def add(self, line: ConsoleLine) -> RuntimeFailedError | None:
        """Add a line; return the failure that it means, if any."""
        if line.type not in ("error", "warning") or _CHATTER.match(line.text):
            return None
        if aborted := _ABORTED.match(line.text):
            return RuntimeFailedError(
                f"{self._id.library} aborted: {' '.join(aborted[1].split())}.",
                f"{self._id.library} cannot run this model here. Use a different backend, or a different version.",
            )
        self._last.append(line.text)
        if not self._breaks(line.text):
            return None
        said = " ".join(line.text.split())[:_SHADER_ERROR_CHARACTERS]
        advice = f"{self._id.library}{_SHADER_ADVICE}"
        return RuntimeFailedError(f"The browser rejected a WebGPU shader: {said}", advice)

    def _breaks(self, said: str) -> bool:
        """Tell whether an operation did not run: its output would be arbitrary memory, without an error."""
        return self._id.kind.endswith("webgpu") and said.startswith(_SHADER_REFUSED)

    def said(self) -> str:
        """Format the lines, for the end of a message."""
        lines = [line for line in dict.fromkeys(self._last) if "feature override from URL" not in line]
        return f" (the browser said: {'; '.join(lines)})" if lines else ""
