"""Predicts the first batch again, after the last one and a change of shape, and finds answers that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..comparison import changed
from ..errors import RuntimeFailedError, RuntimeTimeoutError
from ..types import Array, Batch, ChangedAnswer, Signature, Tensors, WorstElement

if TYPE_CHECKING:
    from ..runtimes.browser.page import BrowserRuntime

#: How often an answer that changed is asked for: once after other predictions, twice directly after itself. Two
#: predictions directly after the same batch start from the same state, unless the state grows.
ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Predicted:
    """The first batch, its outputs on one runtime, and the number of predictions since.

    `is_resized` says that the batches had different sizes.
    """

    batch: Batch
    outputs: Tensors
    predictions: int
    is_resized: bool


async def changed_answers(
    runtime: BrowserRuntime,
    signature: Signature,
    first: Predicted,
    receive: Callable[[int, Tensors], Awaitable[None]],
) -> tuple[ChangedAnswer, ...]:
    """Predict the first batch again, and return the outputs that are not the same in every bit.

    Before it, the first sample is predicted alone, to change the shape, if the model takes any number of samples and
    had only batches of one size. After a change, `receive` gets the answers, ANSWERS of them with their numbers from 0;
    then the artifact is loaded again and predicts the batch once more. If that restores an answer, three predictions
    tell whether the change of shape alone changes it. RuntimeFailedError names the repeat.
    """
    batch, iteration = first.batch, first.predictions + 1
    after = "batches" if first.predictions > 1 else "itself"
    if not first.is_resized and _takes_one_sample(runtime, signature, batch):
        if await _predict_one_sample(runtime, batch, iteration):
            after = "shape"
        iteration += 1
    answer = await _again(runtime, batch, iteration)
    found = await asyncio.to_thread(changes, signature, batch, first.outputs, answer)
    if not found:
        return ()
    iterations = dict.fromkeys(found, iteration)
    await receive(0, answer)
    varying: Collection[str] = ()
    for number in range(1, ANSWERS):
        before, answer = answer, await _again(runtime, batch, iteration + number)
        later = await asyncio.to_thread(changes, signature, batch, first.outputs, answer)
        found, iterations = later | found, dict.fromkeys(later, iteration + number) | iterations
        if number > 1:
            varying = await asyncio.to_thread(changes, signature, batch, before, answer)
        await receive(number, answer)
    iteration += ANSWERS
    answer = await _after_reload(runtime, batch, iteration)
    restoring = await asyncio.to_thread(changes, signature, batch, first.outputs, answer)
    restored = found.keys() - restoring
    by_shape = await _by_shape(runtime, signature, first, iteration + 1) if restored and after == "shape" else set()
    return tuple(
        replace(
            found[name],
            runtime=runtime.id,
            iteration=iterations[name],
            after=after,
            is_repeatable=name not in varying,
            is_restored=name in restored,
            is_by_shape=name in restored & by_shape,
        )
        for name in (spec.name for spec in signature.outputs)
        if name in found
    )


async def _by_shape(runtime: BrowserRuntime, signature: Signature, first: Predicted, iteration: int) -> set[str]:
    """Return the outputs that stay the same when the batch is repeated, and change after one sample alone.

    The artifact has just been loaded again and has predicted the batch once.
    """
    same = await _again(runtime, first.batch, iteration)
    by_repeat = await asyncio.to_thread(changes, signature, first.batch, first.outputs, same)
    await _predict_one_sample(runtime, first.batch, iteration + 1)
    resized = await _again(runtime, first.batch, iteration + 2)
    by_size = await asyncio.to_thread(changes, signature, first.batch, first.outputs, resized)
    return by_size.keys() - by_repeat.keys()


def _takes_one_sample(runtime: BrowserRuntime, signature: Signature, batch: Batch) -> bool:
    """Tell whether a batch of one sample is a change of shape that the model allows."""
    free = signature.has_samples and signature.joins_samples and not runtime.id.is_litert
    return free and batch.size > 1


async def _again(runtime: BrowserRuntime, batch: Batch, iteration: int) -> Tensors:
    try:
        return await runtime.predict(batch.tensors, samples=batch.size)
    except RuntimeFailedError as error:
        raise _named(runtime, error, "The first batch was predicted again", iteration) from error


async def _after_reload(runtime: BrowserRuntime, batch: Batch, iteration: int) -> Tensors:
    try:
        await runtime.reload()
    except RuntimeFailedError as error:
        raise _named(runtime, error, "The artifact was loaded again", iteration) from error
    return await _again(runtime, batch, iteration)


async def _predict_one_sample(runtime: BrowserRuntime, batch: Batch, iteration: int) -> bool:
    """Predict the first sample alone. If the model does not take it, return False, and the report notes it."""
    sample = {name: value if name in batch.whole else value[:1] for name, value in batch.tensors.items()}
    try:
        await runtime.predict(sample, samples=1, timed=False)
    except RuntimeFailedError as error:
        named = _named(runtime, error, "The first sample was predicted alone, to change the shape", iteration)
        if isinstance(error, RuntimeTimeoutError) or not runtime.is_alive:
            raise named from error
        runtime.note(named.message.removeprefix(f"{runtime.id}: "))
        return False
    return True


def _named(runtime: BrowserRuntime, error: RuntimeFailedError, doing: str, iteration: int) -> RuntimeFailedError:
    reason = error.message.removeprefix(f"{runtime.id}: ")
    return type(error)(f"{runtime.id}: {doing} (prediction {iteration}), and failed: {reason}", error.advice)


def changes(signature: Signature, batch: Batch, first: Tensors, again: Tensors) -> dict[str, ChangedAnswer]:
    """Compare two answers to one batch in every bit; the runtime and the prediction are not filled in."""
    found: dict[str, ChangedAnswer] = {}
    for spec in signature.outputs:
        one, two = first[spec.name], again[spec.name]
        if one.shape != two.shape:
            shapes = f"{one.shape} and {two.shape}"
            found[spec.name] = ChangedAnswer(spec.name, max(one.size, two.size), max(one.size, two.size), None, shapes)
        elif differing := changed(one, two):
            has_rows = spec.has_sample_axis and one.shape[:1] == (batch.size,)
            element = _placed(differing.element, one, has_rows=has_rows)
            found[spec.name] = ChangedAnswer(spec.name, differing.count, differing.element_count, element)
    return found


def _placed(element: WorstElement, value: Array, *, has_rows: bool) -> WorstElement:
    """Return an element with its place in the whole value, unless the first axis is that of the samples."""
    if has_rows:
        return element
    index = (element.sample, *element.index) if value.ndim else ()
    return replace(element, sample=0, index=index, has_sample_axis=False)
