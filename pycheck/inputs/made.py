"""Generates inputs from a model's signature and its hints: the same inputs for the same seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import UsageError
from ..types import InputHint, InputsInfo, Signature
from .drawing import Plan, draw
from .planning import Range, check_range, note, plan
from .sizes import check_names
from .stream import Chunks, Inputs

#: A part of the hash, to be increased if the same seed gives different numbers.
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
    """Generate inputs; sample k is the same for any batch size and number of samples.

    `hints` say for each input which values the model expects, such as Model.input_hints. Without a hint, floats are
    uniform in [0, 1), booleans are false or true, 8-bit integers are uniform over the whole type, and other integers
    are 0 or 1. `ranges` replace that: the range of one input counts as it is; the range for all inputs (None) stays
    within the entries of a table. `sizes` are the free dimensions by input; the default is `usual_size`. An input
    without a sample axis is one value for all samples. The number of samples is rounded up to the model's fixed batch,
    and is 1 if no input has a sample axis.

    UsageError for an invalid number of samples or range; InputsFileError for an input that is not numeric.
    """
    ranges, sizes, hints = ranges or {}, sizes or {}, hints or {}
    if samples < 1:
        raise UsageError(f"Cannot generate {samples} samples.", "Give at least 1.")
    if seed < 0:
        raise UsageError(f"The seed {seed} is negative.", "Give 0 or more.")
    check_names("--range", ranges, signature)
    for name, asked in ranges.items():
        check_range(name, asked)
    asked_samples, batch = samples, signature.fixed_batch or 1
    samples = -(-samples // batch) * batch if signature.has_samples else 1
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
    recipe = {"recipe": _RECIPE, "samples": samples, "seed": seed, "inputs": [_hashed(made) for made in plans]}
    sha256 = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    notes = (
        *_how_many(signature, samples, asked_samples, seed),
        *(note(made, spec) for made, spec in zip(plans, signature.inputs, strict=True)),
    )
    chunks = {made.name: _chunks(made, number, samples, seed) for number, made in enumerate(plans)}
    whole = frozenset(made.name for made in plans if made.whole)
    return Inputs(InputsInfo(None, sha256, samples, notes), chunks, whole)


def _hashed(made: Plan) -> dict[str, Any]:
    """Return the part of the inputs that is hashed; inputs with samples keep the same hash as in earlier versions."""
    return {name: value for name, value in asdict(made).items() if name != "whole" or value}


def _how_many(signature: Signature, samples: int, asked: int, seed: int) -> tuple[str, ...]:
    if not signature.inputs:
        return ()
    if not signature.has_samples:
        return (
            f"generated from the model's signature: no input has a sample axis, so the model runs once; seed {seed}",
        )
    batch = f", {asked} rounded up to the model's batch of {signature.fixed_batch}" if samples != asked else ""
    return (f"generated from the model's signature: {samples} samples{batch}, seed {seed}",)


def _chunks(made: Plan, number: int, samples: int, seed: int) -> Chunks:
    def chunks(size: int) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
        if made.whole:
            yield draw(made, number=number, index=0, seed=seed)
            return
        for start in range(0, samples, size):
            indices = range(start, min(start + size, samples))
            yield np.stack([draw(made, number=number, index=index, seed=seed) for index in indices])

    return chunks
