"""Decides which inputs and outputs of a model have a sample axis: a first axis with one row for each sample.

All code that counts, cuts or names samples reads `TensorSpec.has_sample_axis`, and only this module decides it.
Neither the rank nor an open first size is enough: boxes after non-maximum suppression are [?, 4] for one image, and
the axis of one long waveform [?] is time. The rule, with the cheapest evidence first:

1. A scalar has no sample axis.
2. An output whose first size is known for every number of rows of the inputs: it has one if, and only if, it has
   as many rows as the inputs, for two numbers of rows. So `reshape(x, [-1, 4])`, a constant table of anchors and
   a mean that keeps its dimensions have none. Shape inference finds this without running the model.
3. An output whose first size depends on values, or comes out of a loop: the model runs on 2, 3 and 5 rows, with
   zeros among them and the last row like the first, and it has one if it gives as many rows each time. So the
   result of an LSTM has one; those of a where, a unique or a non-maximum suppression have none, although their
   counts may agree once by chance.
4. A fixed batch of N: an output has one if its first size is N. With N = 1 an open first size has none, because
   one row says nothing.
5. An input of a Keras model, or of an artifact in the layers format, always has one: Keras defines it so.
6. An input of any other model has one if the rows of some output follow its rows, or if it is bound to those that
   do: the model runs on 24 rows of all inputs and on 12 of all, and fails once this input alone has the fewer. Where
   an input is an image or a video, the numbers are 6 and 3. Where shape inference refuses equal numbers, an input
   has one if it alone determines the rows of an output. An input of a fixed first size has one if that is 1, a
   batch of one, or if an output has one.
7. Rows that influence one another are not samples: an input of a waveform is also followed by an output of as many
   values, if the model filters it. For the inputs of step 6 the model runs twice on 8 rows (or on the fixed N), which
   differ in the first. No output keeps its other rows: there is no sample axis. Inputs of rank 4 and more are left
   out, because images and videos come in batches and cost the most.

A model that fails on generated values, draws random numbers or changes its variables is not run. Steps 3 and 7 then
follow the open or equal first sizes. The same holds for a model that does not end: a loop may end only for certain
values, so TensorFlow stops after a time limit.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Array, Signature, TensorSpec, is_exact
from .row_inference import inferred_shapes, operations

#: Two numbers of rows that no model has as a fixed size.
_ROWS, _OTHER_ROWS = 1009, 2003
_RUN_ROWS = (2, 3, 5)
#: Numbers of rows that no open inner axis has. They share their factors, so that reshaping or splitting does not
#: distinguish them; the second pair is for images and videos, which cost the most.
_BOUND_ROWS, _FEW_ROWS = (24, 12), (6, 3)
_INDEPENDENT_ROWS = 8
_LARGEST_RANK_RUN = 3
_IMAGE_SIZE, _LENGTH = 64, 8
#: The most seconds for one run on a few rows; a model that takes longer counts as endless.
_LONGEST_RUN_S = 30.0
_NEVER_RUN = ("Assign", "Random", "Multinomial", "PyFunc", "Print", "WriteFile")


def with_sample_axes(function: Any, signature: Signature, *, by_definition: bool) -> Signature:
    """Decide `has_sample_axis` for every tensor of a signature; see the rule above.

    Args:
        function: The ConcreteFunction that takes the inputs in order and returns a dict by output name.
        signature: Its inputs and outputs; the shapes say which sizes are open.
        by_definition: Whether the first axis of every input is the sample, as in Keras.
    """
    return _Decision(function, signature, by_definition).signature()


@dataclass(frozen=True)
class _Decision:
    function: Any
    given: Signature
    by_definition: bool

    def signature(self) -> Signature:
        inputs, outputs = self._decided()
        return Signature(
            tuple(replace(s, has_sample_axis=has) for s, has in zip(self.given.inputs, inputs, strict=True)),
            tuple(replace(s, has_sample_axis=has) for s, has in zip(self.given.outputs, outputs, strict=True)),
        )

    def _decided(self) -> tuple[list[bool], list[bool]]:
        candidates = self._candidates()
        none = [False] * len(self.given.inputs), [False] * len(self.given.outputs)
        if not candidates:
            return none
        fixed = self.given.inputs[candidates[0]].shape[0]
        outputs = self._fixed_outputs(fixed) if fixed else self._open_outputs(candidates)
        if self.by_definition:
            return [bool(spec.shape) for spec in self.given.inputs], outputs
        if not any(outputs):
            return ([p in candidates for p in range(len(self.given.inputs))], outputs) if fixed == 1 else none
        inputs = candidates if fixed else self._followed(candidates, outputs)
        if fixed != 1 and not self._independent(inputs, outputs, fixed or _INDEPENDENT_ROWS):
            return none
        return [position in inputs for position in range(len(self.given.inputs))], outputs

    def _candidates(self) -> list[int]:
        """Return the positions of the inputs with an open first size.

        If there are none, those with the first fixed size.
        """
        shapes = [spec.shape for spec in self.given.inputs]
        if opened := [position for position, shape in enumerate(shapes) if shape and shape[0] is None]:
            return opened
        first = next((shape[0] for shape in sorted(shapes, key=len, reverse=True) if shape), None)
        return [position for position, shape in enumerate(shapes) if shape and shape[0] == first]

    def _fixed_outputs(self, batch: int) -> list[bool]:
        shapes = inferred_shapes(self.function, {}) or []
        known = dict(zip(sorted(spec.name for spec in self.given.outputs), shapes, strict=False))
        undecided = []
        has = []
        for spec in self.given.outputs:
            size = spec.shape[0] if spec.shape else 0
            if size is None and (shape := known.get(spec.name)):
                size = shape[0]
            has.append(size == batch)
            undecided.append(size is None and (batch > 1 or self.by_definition))
        return self._run_for(has, undecided, list(range(len(self.given.inputs))), (batch, batch))

    def _open_outputs(self, candidates: Sequence[int]) -> list[bool]:
        known = [self._shapes(dict.fromkeys(candidates, rows)) for rows in (_ROWS, _OTHER_ROWS)]
        has, undecided = [], []
        for spec in self.given.outputs:
            sizes = [shapes[spec.name][:1] if shapes.get(spec.name) is not None else (None,) for shapes in known]
            has.append(sizes == [(_ROWS,), (_OTHER_ROWS,)])
            undecided.append((None,) in sizes and spec.shape[:1] == (None,))
        return self._run_for(has, undecided, candidates, _RUN_ROWS)

    def _shapes(self, rows: Mapping[int, int]) -> dict[str, Any]:
        """Return inferred shapes by output name; TensorFlow flattens a dict of outputs in the order of its keys."""
        shapes = inferred_shapes(self.function, rows)
        names = sorted(spec.name for spec in self.given.outputs)
        return dict(zip(names, shapes, strict=True)) if shapes else {}

    def _run_for(
        self, has: Sequence[bool], undecided: Sequence[bool], positions: Sequence[int], sizes: Sequence[int]
    ) -> list[bool]:
        """Decide the outputs that are undecided, by running the model on so many rows."""
        if not any(undecided):
            return list(has)
        counts: list[Mapping[str, int | None]] = []
        for seed, rows in enumerate(sizes):
            made = self._made(positions, rows, seed)
            for position in positions:
                made[position][-1] = made[position][0]
            values = self._run(made)
            if values is None:  # the value that an open first size suggests
                return [known or unknown for known, unknown in zip(has, undecided, strict=True)]
            counts.append({name: len(value) if value.ndim else None for name, value in values.items()})
        return [
            known or (unknown and all(count[spec.name] == rows for count, rows in zip(counts, sizes, strict=True)))
            for spec, known, unknown in zip(self.given.outputs, has, undecided, strict=True)
        ]

    def _followed(self, candidates: Sequence[int], outputs: Sequence[bool]) -> list[int]:
        """Return the inputs whose number of rows, changed alone, changes that of an output with a sample axis."""
        if len(candidates) == 1:
            return list(candidates)
        names = [spec.name for spec, has in zip(self.given.outputs, outputs, strict=True) if has]
        together = self._shapes(dict.fromkeys(candidates, _ROWS))
        contradicts = all(together.get(name) is None for name in names)

        def follows(position: int) -> bool:
            shapes = self._shapes({**dict.fromkeys(candidates, _ROWS), position: _OTHER_ROWS})
            return not shapes or any(shapes[name] is None or shapes[name][0] != _ROWS for name in names)

        def alone(position: int) -> bool:
            shapes = self._shapes({position: _ROWS})
            return any((shapes.get(name) or ())[:1] == (_ROWS,) for name in names)

        # Equal numbers contradict a model in which an input has a factor for each of 9 features.
        followed = [position for position in candidates if contradicts and alone(position)]
        followed = followed or [position for position in candidates if follows(position)]
        apart = [position for position in candidates if position not in followed]
        return sorted([*followed, *self._bound(apart, candidates)]) or list(candidates)

    def _bound(self, apart: Sequence[int], candidates: Sequence[int]) -> list[int]:
        """Return those of `apart` without whose rows the model fails, because it needs equal numbers of rows.

        Shape inference does not know the rows after a lookup or a count, and uses those of the values that they are
        joined to.
        """
        largest = max(len(self.given.inputs[position].shape) for position in candidates)
        made, fewer = (
            self._made(candidates, rows, 0) for rows in (_BOUND_ROWS if largest <= _LARGEST_RANK_RUN else _FEW_ROWS)
        )

        def runs(with_fewer: Sequence[int]) -> bool:
            values = [fewer[position] if position in with_fewer else value for position, value in enumerate(made)]
            return self._run(values) is not None

        if not apart or not runs([]) or not runs(candidates):
            return []
        if len(apart) < len(candidates) and runs(apart):
            return []  # they may depend on one another, but not on the samples
        return [position for position in apart if not runs([position])]

    def _independent(self, inputs: Sequence[int], outputs: Sequence[bool], rows: int) -> bool:
        """Tell whether an output (every output if all inputs have rank 1) keeps its other rows if the first changes."""
        ranks = [len(self.given.inputs[position].shape) for position in inputs]
        only_rank_1 = max(ranks) == 1
        if only_rank_1 and not all(has for spec, has in zip(self.given.outputs, outputs, strict=True) if spec.shape):
            return False
        if max(ranks) > _LARGEST_RANK_RUN and self.given.inputs[inputs[0]].shape[0] is None:
            return True
        made = self._made(inputs, rows, 0)
        other = self._made(inputs, rows, 1)
        changed = [
            np.concatenate([other[position][:1], value[1:]]) if position in inputs else value
            for position, value in enumerate(made)
        ]
        before, after = self._run(made), self._run(changed)
        if before is None or after is None:
            return not only_rank_1 or not self._may_run
        kept = [
            _same(before[spec.name][1:], after[spec.name][1:])
            for spec, has in zip(self.given.outputs, outputs, strict=True)
            if has
        ]
        return all(kept) if only_rank_1 else any(kept)

    @cached_property
    def _may_run(self) -> bool:
        return not any(part in op for op in operations(self.function) for part in _NEVER_RUN)

    def _run(self, values: Sequence[Array]) -> Mapping[str, Array] | None:
        """Return outputs by name; None for a model that must not run, fails on these values, or does not end."""
        import tensorflow as tf

        from ..graphdef.internals import cancellation

        if not self._may_run:
            return None
        manager = cancellation.CancellationManager()
        is_late = threading.Event()  # the manager also counts as cancelled after an error of the model

        def stop() -> None:
            is_late.set()
            manager.start_cancel()

        timer = threading.Timer(_LONGEST_RUN_S, stop)
        timer.daemon = True
        try:
            flat = [tf.constant(v, spec.dtype) for v, spec in zip(values, self.given.inputs, strict=True)]
            timer.start()
            with without_native_noise():
                outputs = manager.get_cancelable_function(self.function)(*flat)
                return {name: np.asarray(value) for name, value in outputs.items()}
        except Exception:  # a model may raise any error for generated values
            if is_late.is_set():  # every further run would take as long
                self.__dict__["_may_run"] = False
            return None
        finally:
            timer.cancel()

    def _made(self, positions: Sequence[int], rows: int, seed: int) -> list[Array]:
        random = np.random.default_rng(seed)
        return [
            _values(spec, rows if position in positions else None, random)
            for position, spec in enumerate(self.given.inputs)
        ]


def _values(spec: TensorSpec, rows: int | None, random: np.random.Generator) -> Array:
    """Generate values that any model accepts: small numbers of both signs with some zeros, the integers 0 and 1."""
    inner = _IMAGE_SIZE if len(spec.shape) >= 4 else _LENGTH
    shape = tuple(inner if size is None else size for size in spec.shape)
    if rows is not None and shape:
        shape = (rows, *shape[1:])
    ones = random.integers(0, 2, shape)
    if spec.dtype == "string":
        return np.where(ones == 1, "a", "b").astype(object)
    if is_exact(spec.dtype):
        return np.asarray(ones)
    return np.asarray(random.normal(size=shape) * (random.random(shape) > 0.3))


def _same(one: Array, two: Array) -> bool:
    if one.shape != two.shape:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, two))
    return bool(np.allclose(one, two, rtol=1e-4, atol=1e-6, equal_nan=True))
