"""Checks whether the installed TensorFlow can be imported, in a separate process that it may kill."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from ..errors import InstallationError
from ..system import installed, process

_TIMEOUT_S = 120.0
#: The last entry of the module path is the folder of this pycheck, which need not be installed.
_TRIED = """
import json, sys
sys.path.append(sys.argv[1])
from pycheck.errors import PycheckError
from pycheck.model.tensorflow_import import import_tensorflow
try:
    import_tensorflow()
    import pycheck.graphdef.internals
except PycheckError as error:
    print(json.dumps([error.message, error.advice]))
else:
    print(json.dumps([]))
"""


async def tensorflow_error() -> InstallationError | None:
    """Return why TensorFlow cannot be used here; None if it can."""
    if problem := installed.tensorflow_problem():
        return problem
    # -P excludes the current folder from imports, which may contain a json.py.
    words = [sys.executable, "-P", "-c", _TRIED, str(Path(__file__).parents[2])]
    child = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=_environment()
    )
    try:
        said, _ = await asyncio.wait_for(child.communicate(), _TIMEOUT_S)
    except TimeoutError:
        child.kill()
        await child.wait()
        return installed.broken("tensorflow", TimeoutError(f"no answer within {_TIMEOUT_S:.0f} s"))
    if code := child.returncode:
        unknown = RuntimeError(f"the process ended with {code}")
        return installed.killed("tensorflow", -code) if code < 0 else installed.broken("tensorflow", unknown)
    answer = json.loads(said.splitlines()[-1])
    return InstallationError(*answer) if answer else None


def _environment() -> dict[str, str]:
    """Return the environment of this process, in which pycheck may choose the backend of Keras."""
    return {**os.environ, "KERAS_BACKEND": "tensorflow"} if process.own else {**os.environ}
