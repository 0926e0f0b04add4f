"""Chooses the free dimensions of generated inputs: increases them until the model runs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from ..artifact.operations import NO_RAGGED_TENSORS
from ..errors import UsageError
from ..inputs import asked_sizes, free_inputs, make_inputs, usual_size
from ..options.values import Options
from ..system.cache import Cache, content_key
from ..types import InputHint, Signature, TensorSpec
from .lazy_model import Source

if TYPE_CHECKING:
    from ..model import Model
    from ..model.attempt import Attempt

Sizes = Mapping[str, tuple[int, ...]]

_LARGEST_IMAGE, _LONGEST_SEQUENCE = 1024, 4096
_MOST_STEPS = 10  # from 8 to 4096
#: Usual sizes of images, sequences and waveforms, which are tried if no power of two works.
_USUAL_IMAGES = (224, 299, 32, 28, 96, 160, 192, 240, 300, 320, 416, 448, 640)
_USUAL_LENGTHS = (
    10,
    20,
    24,
    28,
    30,
    50,
    60,
    96,
    100,
    120,
    150,
    200,
    250,
    300,
    400,
    500,
    784,
    1000,
    15600,
    16000,
    44100,
)
#: The most elements of one sample of one input.
_MOST_ELEMENTS = 1 << 22
#: The most seconds of the search.
_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """The free dimensions by input, and the notes about them."""

    sizes: dict[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()


_LENGTHS = TypeAdapter(Lengths)


async def fitting_lengths(source: Source, options: Options, cache: Cache, executor: Executor) -> Lengths:
    """Return sizes with which the model runs, including the given ones; from the cache if known.

    UsageError if the model runs with none of the sizes; it names the layer and how to set the size.
    """
    signature = (await source.info()).signature
    asked = asked_sizes(signature, options.size)
    if not free_inputs(signature):
        return Lengths(asked)
    key = await source.cache_key()
    key = key and content_key(key, sorted(asked.items()), sorted(map(str, options.range.items())))
    if known := cache.value("lengths", key, _LENGTHS):
        return known
    hints, model = await source.input_hints(), await source.model()
    found = await asyncio.get_running_loop().run_in_executor(executor, search, model, options, hints)
    return cache.keep("lengths", key, _LENGTHS, found)


def search(model: Model, options: Options, hints: Mapping[str, InputHint]) -> Lengths:
    """Search for the sizes of `fitting_lengths`, without the cache."""
    signature = model.info.signature
    return _Search(model, signature, asked_sizes(signature, options.size), hints, options).run()


class _Search:
    """Runs one sample, or one fixed batch, of each size."""

    def __init__(
        self, model: Model, signature: Signature, asked: Sizes, hints: Mapping[str, InputHint], options: Options
    ) -> None:
        self._model = model
        self._signature = signature
        self._asked = asked
        self._hints = hints
        self._options = options
        self._free = {name: count for name, count in free_inputs(signature).items() if name not in asked}

    def run(self) -> Lengths:
        """Return the first sizes with finite outputs that are not empty, else the first with which the model runs."""
        started = time.monotonic()
        tried: list[tuple[Sizes, Attempt]] = []
        for sizes in self._candidates():
            if tried and time.monotonic() - started > _LONGEST_S:
                break
            outcome = self._attempt(sizes)
            tried.append((sizes, outcome))
            if outcome.ran and outcome.is_finite and not outcome.is_empty:
                return Lengths({**self._asked, **sizes}, self._notes(sizes, tried))
        ran = [(outcome.is_empty, number) for number, (_, outcome) in enumerate(tried) if outcome.ran]
        if not ran:
            raise self._error(tried)
        return Lengths({**self._asked, **tried[min(ran)[1]][0]})

    def _attempt(self, sizes: Sizes) -> Attempt:
        from ..model.attempt import attempt

        inputs = make_inputs(
            self._signature,
            samples=1,
            seed=self._options.seed,
            ranges=self._options.range,
            sizes={**self._asked, **sizes},
            hints=self._hints,
        )
        return attempt(self._model, next(inputs.batches(inputs.sample_count)).tensors)

    def _candidates(self) -> Iterator[dict[str, tuple[int, ...]]]:
        """Yield sizes: all dimensions grow together, as shared ones must; then usual sizes.

        Then each dimension alone.
        """
        every = list(self._free)
        if not every:
            yield {}
            return
        steps = range(_MOST_STEPS)
        seen = set[str]()
        plans = [self._sizes(every, 2**step) for step in steps]
        plans += [self._usual(number) for number in range(max(len(self._usual_sizes(name)) for name in every))]
        if len(every) > 1:
            plans += [{**self._sizes(every, 1), **self._sizes([name], 2**s)} for name in every for s in steps[1:]]
        for plan in plans:
            if str(plan) not in seen and self._fits(plan):
                seen.add(str(plan))
                yield plan

    def _sizes(self, names: list[str], factor: int) -> dict[str, tuple[int, ...]]:
        sizes = {}
        for name in names:
            last = _LARGEST_IMAGE if self._is_image(name) else _LONGEST_SEQUENCE
            sizes[name] = (min(usual_size(self._spec(name)) * factor, last),) * self._free[name]
        return sizes

    def _usual(self, number: int) -> dict[str, tuple[int, ...]]:
        sizes = {}
        for name, count in self._free.items():
            usual = self._usual_sizes(name)
            sizes[name] = (usual[min(number, len(usual) - 1)],) * count
        return sizes

    def _usual_sizes(self, name: str) -> tuple[int, ...]:
        """Return the usual sizes; one free dimension of rank 4 may be a side or a length."""
        if self._is_image(name):
            return _USUAL_IMAGES
        return (*_USUAL_IMAGES, *_USUAL_LENGTHS) if len(self._spec(name).shape) >= 4 else _USUAL_LENGTHS

    def _is_image(self, name: str) -> bool:
        """Tell whether the input has several free dimensions and rank 4 or more: an image, a volume or a video."""
        return len(self._spec(name).shape) >= 4 and self._free[name] > 1

    def _spec(self, name: str) -> TensorSpec:
        return next(spec for spec in self._signature.inputs if spec.name == name)

    def _fits(self, plan: Sizes) -> bool:
        """Tell whether one sample of each input has a size that can be tried."""
        for name, sizes in plan.items():
            fixed = math.prod(size for size in self._spec(name).shape[1:] if size is not None)
            if fixed * math.prod(sizes) > _MOST_ELEMENTS:
                return False
        return True

    def _notes(self, sizes: Sizes, tried: list[tuple[Sizes, Attempt]]) -> tuple[str, ...]:
        """Describe the sizes; nothing if the first ones worked."""
        if len(tried) < 2:
            return ()
        before, failed = tried[-2]
        reason = f"{failed.place or 'the model'} fails" if not failed.ran else "an output is empty or not finite"
        of = ", ".join(f"{name} {_text(size)}" for name, size in before.items())
        return (f"free dimensions were increased until the model runs: with {of}, {reason}",)

    def _error(self, tried: list[tuple[Sizes, Attempt]]) -> UsageError:
        sizes, outcome = tried[0]
        place = f"{outcome.place}: " if outcome.place else ""
        if not self._free:
            given = ", ".join(f"{name}:{_text(size)}" for name, size in self._asked.items())
            return UsageError(
                f"The model does not run with --size {given}: {place}{outcome.failure}.",
                "Give a different size, or give INPUTS.",
            )
        name = next(iter(self._free))
        if "ragged" in (place + outcome.failure).lower():
            return UsageError(
                f"Cannot generate the parts of a ragged tensor ({', '.join(self._free)}): its values and row splits "
                "must fit "
                f"each other. {place}{outcome.failure}.",
                NO_RAGGED_TENSORS,
            )
        ranges = ", ".join(
            f"{name} ({_text(sizes[name])} to {_text(self._largest(tried, name))})" for name in self._free
        )
        return UsageError(
            f"The model fails with all tried sizes of the free dimensions of {ranges}. "
            f"With {', '.join(f'{name} {_text(size)}' for name, size in sizes.items())}: {place}{outcome.failure}.",
            f"Set the size that the model needs with --size {name}:{'x'.join(['N'] * self._free[name])}, or give "
            "INPUTS.",
        )

    def _largest(self, tried: list[tuple[Sizes, Attempt]], name: str) -> tuple[int, ...]:
        return max(sizes[name] for sizes, _ in tried)


def _text(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
