"""Trains in a page: sends the data once, and receives the results of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ... import protocol, tensors
from ...types import Array, Tensors
from .page import BrowserRuntime
from .session import Session

_UPLOAD_STREAMS = 2
#: Of a larger variable, every step returns evenly spaced elements.
SEEN_ELEMENTS = 1 << 14
#: Every step returns layers' results if they have at most so many elements together.
ACTIVATION_ELEMENTS = 1 << 15


def seen(value: Array) -> Array:
    """Return the part of a variable or gradient that every step returns: all elements, or evenly spaced ones, flat."""
    flat = value.reshape(-1)
    return flat[:: max(1, -(-flat.size // SEEN_ELEMENTS))]


@dataclass(frozen=True, slots=True)
class PageVariable:
    """A weight of the page, with its initial value."""

    name: str
    trainable: bool
    value: Array


@dataclass(frozen=True, slots=True)
class PageStep:
    """The results of one step: the sampled parts, by variable in the page's order; activations by layer."""

    loss: float
    gradients: tuple[Array, ...]
    weights: tuple[Array, ...]
    activations: tuple[tuple[str, Array], ...]


class PageTrainer:
    """Trains the layers model of a started runtime."""

    def __init__(self, runtime: BrowserRuntime) -> None:
        self.runtime = runtime
        self.variables: tuple[PageVariable, ...] = ()
        self.compute_s = 0.0

    async def compile(self, recipe: protocol.PageRecipe, inputs: Tensors, targets: Tensors) -> None:
        """Send the data, by the artifact's names and in its order, and start from the artifact's weights."""
        data = {f"x/{name}": tensors.to_tfjs(name, value)[0] for name, value in inputs.items()}
        data |= {f"y/{name}": tensors.to_tfjs(name, value)[0] for name, value in targets.items()}

        def make(session: Session) -> protocol.Command:
            return protocol.Compile(
                **{field.name: getattr(recipe, field.name) for field in fields(recipe)},
                id=session.next_id(),
                inputs=tuple(name for name in data if name.startswith("x/")),
                targets=tuple(name for name in data if name.startswith("y/")),
                seen_elements=SEEN_ELEMENTS,
                activation_elements=ACTIVATION_ELEMENTS,
                inputs_url=session.offer_inputs(tensors.encode(data)),
                outputs_url=session.expect_outputs(),
                upload_streams=_UPLOAD_STREAMS,
            )

        reply, values = await self.runtime.exchange("compile", "compiling the model", make, protocol.Compiled)
        self.variables = tuple(
            PageVariable(variable.name, index < reply.trainable_count, values[str(index)])
            for index, variable in enumerate(reply.variables)
        )

    async def steps(self, first: int, count: int, *, observe: bool = True) -> list[PageStep]:
        """Train on consecutive batches; without `observe` only losses are returned, and nothing else is kept."""

        def make(session: Session) -> protocol.Command:
            return protocol.Train(session.next_id(), first, count, observe, session.expect_outputs(), _UPLOAD_STREAMS)

        reply, outputs = await self.runtime.exchange("train", "training", make, protocol.Trained)
        self.runtime.tensor_count = reply.tensor_count
        self.compute_s += reply.compute_s
        losses, sizes = outputs["loss"], outputs["sizes"].reshape(count, -1)
        if not observe:
            return [PageStep(float(loss), (), (), ()) for loss in losses]
        return [
            self._step(outputs[f"step/{i}"], float(losses[i]), reply.layers, sizes[i].tolist()) for i in range(count)
        ]

    def _step(self, packed: Array, loss: float, layers: Sequence[str], sizes: Sequence[int]) -> PageStep:
        parts = _Parts(packed)
        gradients = tuple(parts.take(seen(v.value).size) for v in self.variables if v.trainable)
        weights = tuple(parts.take(seen(v.value).size) for v in self.variables)
        results = tuple((layer, parts.take(size)) for layer, size in zip(layers, sizes, strict=True))
        return PageStep(loss, gradients, weights, results)


class _Parts:
    """Cuts one array into consecutive pieces."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self._at = 0

    def take(self, size: int) -> Any:
        self._at += size
        return np.asarray(self._array[self._at - size : self._at])
