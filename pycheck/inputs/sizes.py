"""Chooses the sizes of the free dimensions of generated inputs, and checks the names of inputs in options."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ..errors import UsageError
from ..types import Signature, TensorSpec
from ..types.by_input import Sizes, size_text
from .fitting import shape_text

_RANK_OF_IMAGES = 4
_LENGTH, _SIDE_OF_IMAGE, _SIDE_OF_VOLUME = 8, 64, 16


def usual_size(spec: TensorSpec) -> int:
    """Return the default size of the free dimensions of an input.

    Two free dimensions of an input of rank 4 or more are the sides of an image, which models often downsample 32
    times: 64. Three are a volume or a video: 16, which has as many elements. A single one is a length, such as the
    time of a spectrogram: 8.
    """
    free = _free(spec)
    if len(spec.shape) < _RANK_OF_IMAGES or free < 2:
        return _LENGTH
    return _SIDE_OF_IMAGE if free == 2 else _SIDE_OF_VOLUME


def asked_sizes(signature: Signature, asked: Sizes) -> dict[str, tuple[int, ...]]:
    """Return the given sizes of free dimensions, by input; UsageError for sizes that an input cannot have."""
    check_names("--size", asked, signature)
    found = {}
    for spec in signature.inputs:
        if spec.name in asked:
            found[spec.name] = _of(spec, asked[spec.name])
    if None in asked:
        free = [spec for spec in signature.inputs if _free(spec) and spec.name not in asked]
        fitting = [spec for spec in free if len(asked[None]) in (1, _free(spec))]
        if not fitting:
            raise _no_input(signature, free, asked)
        found |= {spec.name: _of(spec, asked[None]) for spec in fitting}
    return found


def free_inputs(signature: Signature) -> Mapping[str, int]:
    """Return the inputs with free dimensions besides the sample axis, and the number of these dimensions."""
    return {spec.name: count for spec in signature.inputs if (count := _free(spec))}


def _free(spec: TensorSpec) -> int:
    return spec.sample_shape.count(None)


def _of(spec: TensorSpec, sizes: tuple[int, ...]) -> tuple[int, ...]:
    free, option = _free(spec), f"--size {spec.name}:{size_text(sizes)}"
    if not free:
        raise UsageError(
            f"{option}: the input {spec.name!r} of shape {shape_text(spec)} has no free dimension.",
            "Remove the option.",
        )
    if len(sizes) not in (1, free):
        many = "1 free dimension" if free == 1 else f"{free} free dimensions"
        raise UsageError(
            f"{option}: the input {spec.name!r} of shape {shape_text(spec)} has {many}.",
            f"Give --size {spec.name}:{size_text((*sizes, *[sizes[-1]] * free)[:free])}",
        )
    return sizes if len(sizes) == free else sizes * free


def _no_input(signature: Signature, free: list[TensorSpec], asked: Sizes) -> UsageError:
    shapes = ", ".join(f"{spec.name} {shape_text(spec)}" for spec in (free or signature.inputs))
    what = f"has {len(asked[None])} free dimensions" if free else "has a free dimension"
    return UsageError(
        f"--size {size_text(asked[None])}: no input {what}: {shapes}.",
        "Remove the option, or name an input: --size INPUT:N",
    )


def check_names(option: str, given: Mapping[str | None, object], signature: Signature) -> None:
    """Raise UsageError for a name that no input has."""
    names = [spec.name for spec in signature.inputs]
    for name in given:
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.6)
            raise UsageError(
                f"{option} names the input {name!r}, but the model has no such input.",
                f"Did you mean {near[0]!r}?" if near else f"Its inputs are: {', '.join(names)}.",
            )
