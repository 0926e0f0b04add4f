"""Whether the installed TensorFlow can be imported: tried in a process of its own, which it may end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from . import installed
from .errors import InstallationError

_TIMEOUT_S = 120.0
_TRIED = """
import json
from pycheck.errors import PycheckError
from pycheck.model.tensorflow_import import import_tensorflow
try:
    import_tensorflow()
    import pycheck.tensorflow_internals
except PycheckError as error:
    print(json.dumps([error.message, error.advice]))
else:
    print(json.dumps([]))
"""


async def tensorflow_error() -> InstallationError | None:
    """Why TensorFlow cannot be used here; None if it can."""
    if problem := installed.tensorflow_problem():
        return problem
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _TRIED, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        said, _ = await asyncio.wait_for(child.communicate(), _TIMEOUT_S)
    except TimeoutError:
        child.kill()
        await child.wait()
        return installed.broken("tensorflow", TimeoutError(f"no answer within {_TIMEOUT_S:.0f} s"))
    if child.returncode:
        return installed.broken("tensorflow", RuntimeError(_ended(child.returncode)))
    answer = json.loads(said.splitlines()[-1])
    return InstallationError(*answer) if answer else None


def _ended(code: int) -> str:
    """How a process ended that said nothing of an error."""
    if code == -signal.SIGILL:
        return "the process was killed by SIGILL: this processor lacks instructions that TensorFlow was built for"
    return f"the process was killed by {signal.Signals(-code).name}" if code < 0 else f"the process ended with {code}"
