"""A workbench that starts nothing: what a model's name says is what comes out.

``sound``: right everywhere, and a little less so where a file is called "worse". ``drifting`` and ``nan``: wrong on
WebGL alone. WebGPU cannot start. A model that is ``missing`` raises. What was asked for is in asked.jsonl.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pycheck.errors import ModelFileError
from pycheck.options.replay import command_line
from pycheck.types import Report, RuntimeStatus

_STAGES = Path(__file__).parents[1] / "report" / "conftest.py"


@cache
def _stages() -> ModuleType:
    """Reports made by the real stages, as the tests of the reports have them."""
    spec = importlib.util.spec_from_file_location("made_reports", _STAGES)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class FakeWorkbench:
    async def __aexit__(self, *exc_info: object) -> None:
        with Path("asked.jsonl").open("a") as file:
            print(json.dumps({"closed": True}), file=file)

    async def compare(self, model: Any, inputs: Any, options: Any) -> Report:
        return self._report("compare", model, inputs, options)

    async def trace(self, model: Any, inputs: Any, options: Any) -> Report:
        return self._report("trace", model, inputs, options)

    def _report(self, command: str, model: Any, inputs: Any, options: Any) -> Report:
        asked = {"command": command, "runtimes": [str(r) for r in options.runtimes], "headed": options.headed}
        asked |= {"atol": options.tolerance.atol.get(None), "trace": options.trace, "process": os.getpid()}
        asked |= {"converter": options.converter}
        with Path("asked.jsonl").open("a") as file:
            print(json.dumps(asked), file=file)
        if "missing" in str(model):
            raise ModelFileError(f"There is no model at {model}.", "Check the path.")
        stages = _stages()
        scores = stages._scores()
        right = stages.noisy(scores, 2e-7 if Path("worse").exists() else 5e-8)
        outputs: dict[Any, Any] = {}
        for runtime in options.runtimes:
            answer = right.copy()
            if runtime.kind == "webgl" and "drifting" in str(model):
                answer[3] += 0.5
            if runtime.kind == "webgl" and "nan" in str(model):
                answer[3] = np.nan
            outputs[runtime] = "no adapter" if runtime.kind == "webgpu" else {"scores": answer}
        report: Report = stages.build({"scores": scores}, outputs, options=options.tolerance)
        records = [r if r.status is RuntimeStatus.OK else replace(r, status=RuntimeStatus.UNAVAILABLE)
                   for r in report.runtimes]  # fmt: skip
        return replace(
            report,
            model=replace(report.model, path=str(model)),
            runtimes=tuple(records),
            command=command_line(command, model, inputs, options),
        )
