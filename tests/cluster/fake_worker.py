"""Makes a process of Dask one whose runtimes are fakes, as those of the fixture `work`: dask worker --preload."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pycheck.runtimes.fake import Fault, drifting
from pycheck.types import RuntimeId

from ..fakes import dense, faking

#: The variable that names the folder of a pipe `begun`, to which the first runtime on cpu writes the process it is in.
GATE = "TEST_GATE_OF_PYCHECK"


_lasting = ExitStack()


@dataclass(frozen=True, slots=True)
class Gate(Fault):
    """The first runtime that meets it never answers; the pipe in `folder` gets the number of its process."""

    folder: Path = Path()

    async def meet(self, step: Literal["start", "predict", "run"]) -> None:
        if step == "predict":
            try:
                (self.folder / "met").touch(exist_ok=False)
            except FileExistsError:
                return
            (self.folder / "begun").write_text(f"{os.getpid()}\n")
            await Fault(hangs=True).meet("predict")


def dask_setup(worker: Any) -> None:
    """Begin to fake; the process ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="pycheck-fake-", dir=os.environ[GATE]))
    fakes = _lasting.enter_context(faking(folder / "cache"))
    os.environ["PYCHECK_RECHECK"] = "0"
    fakes.identity = "a browser"
    for seed, name in enumerate(("m", "n", "o")):
        fakes.save(folder / f"{name}.keras", dense(seed=seed))
    fakes.break_("chromium:webgl", drifting(0.5))
    fakes.faults[RuntimeId("chromium", "cpu")] = Gate(folder=Path(os.environ[GATE]))
