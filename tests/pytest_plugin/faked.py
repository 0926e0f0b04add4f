"""Fake runtimes for suites inside of tests: three models, two of which WebGL computes wrongly; WebGPU cannot start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import RuntimeUnavailableError
from pycheck.runtimes.fake import SOUND, Fault, drifting, giving
from pycheck.types import Array
from pycheck.workflow.pipeline import Workbench

from ..fakes import Fakes, dense, faking

#: The output of each model, by its name.
_OUTPUTS = {"sound": "scores", "drifting": "drifted", "nan": "lost"}
_OF_OUTPUTS = {"drifted": drifting(0.5, sample=3), "lost": giving(np.nan, sample=3)}


class _WrongOutputs(Fault):
    def changed(self, step: str, value: Array) -> Array:
        return _OF_OUTPUTS.get(step, SOUND).changed(step, value)


@contextmanager
def faked(folder: Path) -> Iterator[Fakes]:
    """Runs in this process have fake runtimes, and models in a folder; asked.jsonl has what was asked for."""
    with faking(folder / "cache") as fakes, pytest.MonkeyPatch.context() as patch:
        _save(fakes, folder)
        fakes.break_("chromium:webgl", _WrongOutputs())
        fakes.break_("chromium:webgpu", Fault(error=RuntimeUnavailableError("no adapter"), at="start"))
        for name in ("compare", "trace"):
            patch.setattr(Workbench, name, _recording(name, getattr(Workbench, name)))
        patch.setattr(Workbench, "__aexit__", _recording_the_end(Workbench.__aexit__))
        yield fakes


def _save(fakes: Fakes, folder: Path) -> None:
    """Save the models and inputs.npy, each at once: several processes may do so."""
    new = folder / f".{os.getpid()}"
    new.mkdir()
    np.save(new / "inputs.npy", np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32))
    for seed, (name, output) in enumerate(_OUTPUTS.items()):
        fakes.save(new / f"{name}.keras", dense(outputs={output: 10}, seed=seed))
    for file in new.iterdir():
        file.replace(folder / file.name)
    new.rmdir()


def _recording(command: str, function: Any) -> Any:
    async def recorded(workbench: Workbench, model: Any, inputs: Any, options: Any) -> Any:
        asked = {"command": command, "runtimes": [str(r) for r in options.runtimes], "headed": options.headed}
        asked |= {"atol": options.tolerance.atol.get(None), "trace": options.trace, "process": os.getpid()}
        _record(asked | {"converter": options.converter})
        return await function(workbench, model, inputs, options)

    return recorded


def _recording_the_end(function: Any) -> Any:
    async def recorded(workbench: Workbench, *exc_info: object) -> None:
        await function(workbench, *exc_info)
        _record({"closed": True})

    return recorded


def _record(asked: dict[str, Any]) -> None:
    with Path("asked.jsonl").open("a") as file:
        print(json.dumps(asked), file=file)
