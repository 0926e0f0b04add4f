"""Runs functions of an app in a real browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pycheck.options.values import Options
from pycheck.types import AppCode, AppFile, Array, RuntimeId
from pycheck.workflow.pipeline import Workbench

from ..shared import session


def in_page(engine: str, functions: Sequence[str], files: Sequence[Path], folder: Path) -> list[Array]:
    """Return the inputs that a page of an engine makes of the files by each function of (blob, tf)."""
    module = folder / "prep.js"
    module.write_text("".join(f"export const p{k} = {code};\n" for k, code in enumerate(functions)), encoding="utf-8")
    return by_apps(engine, [AppCode(module, f"p{number}") for number in range(len(functions))], files)


def by_apps(engine: str, apps: Sequence[AppCode], files: Sequence[Path]) -> list[Array]:
    """Return the inputs that one page of an engine makes of the files by each app."""
    return session.run(lambda bench: _by_apps(bench, RuntimeId(engine, "cpu"), apps, files))


async def _by_apps(bench: Workbench, runtime: RuntimeId, apps: Sequence[AppCode], files: Sequence[Path]) -> list[Array]:
    made = []
    host = await bench.hosts.get(Options(runtimes=(runtime,)), runtime.engine)
    async with host.runtime(runtime, None, app=apps) as page:
        for app in apps:
            prepared = await page.prepare(app, [AppFile(file.name, file) for file in files], ["x"])
            failed = [file.failure.message for file in prepared.files if file.failure]
            assert not failed, failed
            made.append(np.asarray(prepared.tensors["x"]))
    return made
