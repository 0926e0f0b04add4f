"""Make inputs from a model's signature and from what it says of them, the same ones for the same seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np

from ..errors import UsageError
from ..types import InputHint, InputsInfo, Signature
from .drawing import Plan, draw
from .naming import check_names
from .planning import Range, check_range, note, plan
from .stream import Chunks, Inputs

#: Part of the hash, to be raised when the same seed is to give other numbers.
_RECIPE = 2


def make_inputs(
    signature: Signature,
    *,
    samples: int,
    seed: int,
    ranges: Mapping[str | None, Range] | None = None,
    sizes: Mapping[str, tuple[int, ...]] | None = None,
    hints: Mapping[str, InputHint] | None = None,
) -> Inputs:
    """Seeded inputs; sample k is the same whatever the batch size and the number of samples.

    `hints` say by input what the model expects, such as Model.input_hints. Without a hint floats are uniform in
    [0, 1), booleans are even, integers are uniform over the whole of an 8-bit type, else 0 and 1. `ranges` replace
    that: one by input name, which counts as it is, or one for all inputs (None), which does not lead out of a table.
    `sizes` are the free dimensions by input; else they become 64 in inputs of rank 4 and more, else 8.

    UsageError for a number of samples or a range that cannot be; InputsFileError for an
    input that is no number.
    """
    ranges, sizes, hints = ranges or {}, sizes or {}, hints or {}
    if samples < 1:
        raise UsageError(f"{samples} samples cannot be made; at least 1 is needed.")
    if seed < 0:
        raise UsageError(f"The seed {seed} is negative.", "Give 0 or more.")
    check_names("--range", ranges, signature)
    for name, asked in ranges.items():
        check_range(name, asked)
    for spec in signature.inputs:
        if spec.shape[0] is not None and samples % spec.shape[0]:
            raise UsageError(
                f"{samples} samples cannot be made: the model takes exactly {spec.shape[0]} at a time.",
                f"Give a multiple of {spec.shape[0]}.",
            )
    plans = [
        plan(
            spec,
            own=ranges.get(spec.name),
            common=ranges.get(None),
            hint=hints.get(spec.name),
            sizes=sizes.get(spec.name),
        )
        for spec in signature.inputs
    ]
    recipe = {"recipe": _RECIPE, "samples": samples, "seed": seed, "inputs": [asdict(made) for made in plans]}
    sha256 = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    made_from = f"made from the model's signature: {samples} samples, seed {seed}"
    notes = (made_from, *(note(made, spec) for made, spec in zip(plans, signature.inputs, strict=True)))
    chunks = {made.name: _chunks(made, number, samples, seed) for number, made in enumerate(plans)}
    return Inputs(InputsInfo(None, sha256, samples, notes), chunks)


def _chunks(made: Plan, number: int, samples: int, seed: int) -> Chunks:
    def chunks(size: int) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
        for start in range(0, samples, size):
            indices = range(start, min(start + size, samples))
            yield np.stack([draw(made, number=number, index=index, seed=seed) for index in indices])

    return chunks
