"""Make inputs from a model's signature, the same ones for the same seed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InputsFileError, UsageError
from ..types import Array, InputsInfo, Signature, TensorSpec
from .fitting import model_dtype
from .stream import Chunks, Inputs

#: Sizes for dynamic dimensions: images (rank 4 and more) are downsampled, often 32 times; sequences are not.
_IMAGE_SIZE = 64
_SEQUENCE_LENGTH = 8

#: Part of the hash, to be raised when the same seed is to give other numbers.
_RECIPE = 1


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to draw one input: its dtype, the shape of one sample, and the half-open range of values."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float
    whole: bool = False  # one value for all samples, of this shape


def make_inputs(
    signature: Signature,
    *,
    samples: int,
    seed: int,
    low: float | None = None,
    high: float | None = None,
    bounds: Mapping[str, tuple[int, int]] | None = None,
) -> Inputs:
    """Seeded inputs; sample k is the same whatever the batch size and the number of samples.

    Floats are uniform in [low, high), by default [0, 1). Booleans are even. Integers are
    uniform in [low, high) within `bounds`, half-open ranges of valid values by input name,
    such as Model.input_bounds; by default over the whole of the bounds, else over the whole
    of an 8-bit type, else 0 and 1, since only those are safe where a vocabulary is unknown.
    Dynamic dimensions become 64 in inputs of rank 4 and more, else 8. An input without a sample axis is one
    value for all samples; a boolean scalar is false, as a training flag is at prediction. The number of samples is
    rounded up to the model's fixed batch, and is 1 if no input has a sample axis.

    UsageError for a number of samples or a range that cannot be; InputsFileError for an
    input that is no number.
    """
    if samples < 1:
        raise UsageError(f"{samples} samples cannot be made; at least 1 is needed.")
    if seed < 0:
        raise UsageError(f"The seed {seed} is negative.", "Give 0 or more.")
    asked = None if low is None and high is None else (0.0 if low is None else low, 1.0 if high is None else high)
    if asked and not (math.isfinite(asked[0]) and math.isfinite(asked[1]) and asked[0] < asked[1]):
        raise UsageError(f"The range {asked[0]:g}:{asked[1]:g} is empty or not finite.", "Give it as LOW:HIGH.")
    asked_samples, batch = samples, signature.fixed_batch or 1
    samples = -(-samples // batch) * batch if signature.has_samples else 1
    plans = [_plan(spec, asked, (bounds or {}).get(spec.name)) for spec in signature.inputs]
    recipe = {"recipe": _RECIPE, "samples": samples, "seed": seed, "inputs": [_hashed(plan) for plan in plans]}
    sha256 = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    notes = (
        _how_many(signature, samples, asked_samples, seed),
        *(_note(plan, spec) for plan, spec in zip(plans, signature.inputs, strict=True)),
    )
    chunks = {plan.name: _chunks(plan, number, samples, seed) for number, plan in enumerate(plans)}
    whole = frozenset(plan.name for plan in plans if plan.whole)
    return Inputs(InputsInfo(None, sha256, samples, notes), chunks, whole)


def _hashed(plan: _Plan) -> dict[str, Any]:
    """What determines the values; an input with samples is hashed as ever, so that baselines keep their inputs."""
    return {name: value for name, value in asdict(plan).items() if name != "whole" or value}


def _how_many(signature: Signature, samples: int, asked: int, seed: int) -> str:
    if not signature.inputs:
        return "none: the model takes no inputs and runs once"
    if not signature.has_samples:
        return f"made from the model's signature: no input has a sample axis, so the model runs once; seed {seed}"
    batch = f", {asked} rounded up to the model's batch of {signature.fixed_batch}" if samples != asked else ""
    return f"made from the model's signature: {samples} samples{batch}, seed {seed}"


def _plan(spec: TensorSpec, asked: tuple[float, float] | None, bound: tuple[int, int] | None) -> _Plan:
    dtype = model_dtype(spec)
    if dtype.kind not in "biuf":
        raise InputsFileError(f"Input {spec.name!r} is {spec.dtype}; only numbers can be made.", "Give the inputs.")
    dynamic = _IMAGE_SIZE if len(spec.shape) >= 4 else _SEQUENCE_LENGTH
    shape = tuple(dynamic if size is None else size for size in spec.sample_shape)
    if dtype.kind == "f":
        low, high = asked or (0.0, 1.0)
        largest = float(np.finfo(dtype).max)
        if max(-low, high) > largest or not math.isfinite(high - low):
            raise UsageError(
                f"The range {low:g}:{high:g} is beyond what the {dtype.name} of input {spec.name!r} holds.",
                f"Keep it within -{largest:.3g}:{largest:.3g}.",
            )
    elif dtype.kind == "b":
        low, high = 0.0, 2.0 if spec.shape else 1.0
    else:
        low, high = _integer_range(dtype, asked, bound)
        if not spec.shape and not asked and low < 1 < high:
            low, high = 1, 2  # a count of 0, such as the k of the best k, leaves nothing to compare
    return _Plan(spec.name, dtype.name, shape, low, high, whole=not spec.has_sample_axis)


def _integer_range(
    dtype: np.dtype[Any], asked: tuple[float, float] | None, bound: tuple[int, int] | None
) -> tuple[float, float]:
    """The range asked for, cut to what is valid; what is valid, where they do not meet or none was asked for."""
    info = np.iinfo(dtype)
    lowest, end = bound or (int(info.min), int(info.max) + 1)
    if asked is None:
        return (lowest, end) if bound or dtype.itemsize == 1 else (0, 2)
    low, high = max(math.ceil(asked[0]), lowest), min(math.ceil(asked[1]), end)
    return (low, high) if low < high else (lowest, end) if bound else (0, 2)


def _note(plan: _Plan, spec: TensorSpec) -> str:
    if plan.dtype == "bool":
        values = "true or false" if plan.high > 1 else "false"
    elif plan.dtype.startswith("float"):
        values = f"uniform in [{plan.low:g}, {plan.high:g})"
    else:
        values = f"integers from {plan.low:.0f} to {plan.high - 1:.0f}"
        if plan.high - plan.low == 1:
            values = f"{plan.low:.0f}"
    kind = "one value" if plan.whole else "samples"
    sizes = "" if None not in spec.sample_shape else f", {kind} of shape {plan.shape} where sizes are free"
    return f"{plan.name}: {values}{sizes}"


def _chunks(plan: _Plan, number: int, samples: int, seed: int) -> Chunks:
    def sample(index: int) -> Array:
        """Drawn by a generator of its own, so that nothing depends on how samples are batched."""
        generator = np.random.default_rng([seed, number, index])
        if plan.dtype.startswith("float"):
            return np.asarray(generator.uniform(plan.low, plan.high, plan.shape), plan.dtype)
        drawn = generator.integers(int(plan.low), int(plan.high), plan.shape, dtype=np.int64)
        return np.asarray(drawn, plan.dtype)

    def chunks(size: int) -> Iterator[Array]:
        if plan.whole:
            yield sample(0)
            return
        for start in range(0, samples, size):
            yield np.stack([sample(index) for index in range(start, min(start + size, samples))])

    return chunks
