"""Runs the parts of one comparison apart, so that different processes can have them.

The parts are the conversion, the results in Python, each candidate, and the conclusion. The first two leave what they
made in the cache; a candidate leaves its answers in a folder; the conclusion measures and judges all of them, as a
comparison in one process does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..inputs import Inputs
from ..types import ModelInfo, RuntimeId, RuntimeRecord
from .batching import batch_size_of, litert_shapes
from .brought import Told, write
from .candidates import Candidates, Ground
from .evaluation import Measurements
from .references import References
from .run import Run, one_of
from .store import OutputStore


@dataclass(frozen=True, slots=True)
class _Opened:
    """A model and its inputs in batches."""

    info: ModelInfo
    inputs: Inputs
    batch_size: int


async def convert(run: Run, given: Any) -> None:
    """Convert the model for the libraries of all candidates; ConversionError if no library can have it."""
    opened = await _open(run, given)
    libraries = sorted({runtime.is_litert for runtime in run.setting.options.runtimes})
    await one_of(_artifact(run, opened, is_litert=is_litert) for is_litert in libraries)


async def refer(run: Run, given: Any) -> None:
    """Compute the results in Python; RuntimeFailedError if float32 itself fails."""
    await _references(run, await _open(run, given)).compute()


async def is_kept(run: Run, given: Any) -> bool:
    """Tell whether a comparison would take everything from the cache: results in Python, and each candidate's answers.

    A kept answer that is to be checked is none.
    """
    setting = run.setting
    if not await setting.source.is_known():
        return False
    opened = await _open(run, given)
    if not await _references(run, opened).are_kept():
        return False
    candidates = Candidates(setting, run.answers)
    await candidates.find_answers(opened.info.signature, opened.inputs, opened.batch_size)
    return candidates.known.keys() >= set(setting.options.runtimes)


async def answer(run: Run, given: Any, runtime: RuntimeId, folder: Path) -> RuntimeRecord:
    """Run one candidate, or take its kept answers; write the answers into a folder, for `Brought`.

    Return its record, which has its failure if it failed.
    """
    opened, setting = await _open(run, given), run.setting
    outputs = OutputStore(folder)
    candidates = Candidates(setting, run.answers)
    measured = Measurements(opened.info.signature, setting.options.tolerance, candidates.environments.get)
    artifact = asyncio.ensure_future(_artifact(run, opened, is_litert=runtime.is_litert))
    artifacts = {runtime.is_litert: artifact}
    ground = Ground(opened.inputs, opened.batch_size, None, measured, artifacts, outputs)
    try:
        await candidates.find_answers(opened.info.signature, opened.inputs, opened.batch_size, only=runtime)
        await candidates.run(runtime, ground)
    finally:
        artifact.cancel()  # kept answers do not wait for it
        await asyncio.gather(artifact, return_exceptions=True)
    record, changed = candidates.records[runtime], candidates.changed.get(runtime, ())
    batches = -(-opened.inputs.sample_count // opened.batch_size)
    predictions = _count(outputs, runtime, 0, most=batches)
    later = _count(outputs, runtime, predictions) if predictions == batches else 0
    await asyncio.to_thread(write, folder, Told(record, changed, predictions, later))
    return record


async def _open(run: Run, given: Any) -> _Opened:
    source = run.setting.source
    await source.check_tflite()
    info = await source.info()
    inputs = await run.open_inputs(given)
    return _Opened(info, inputs, await batch_size_of(source, run.setting.options, inputs))


def _references(run: Run, opened: _Opened) -> References:
    setting, (info, inputs, batch_size) = run.setting, (opened.info, opened.inputs, opened.batch_size)
    advance, executor = run.advance(inputs), setting.shared.executor
    return References(setting.source, info.references, inputs, batch_size, setting.cache, executor, advance)


async def _artifact(run: Run, opened: _Opened, *, is_litert: bool) -> Any:
    if not is_litert:
        return await run.setting.source.artifact()
    shapes = litert_shapes(opened.info.signature, opened.inputs, opened.batch_size)
    return await run.setting.source.litert_artifact(shapes, opened.inputs)


def _count(outputs: OutputStore, runtime: RuntimeId, start: int, most: int | None = None) -> int:
    """Count the answers that are there, one after the other."""
    count = 0
    while (most is None or count < most) and outputs.has(runtime, start + count):
        count += 1
    return count
