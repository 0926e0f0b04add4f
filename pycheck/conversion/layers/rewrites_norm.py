"""Converts normalizations over axes, in ranks, or of kinds that tfjs-layers lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .rewrites_activation import move_last
from .rewrites_shape import identity, reshape
from .site import Site, array
from .target import Ref, RefusedError

_MAX_RANK = 4  # tfjs-layers normalizes tensors of rank 2 to 4


def _in_rank(site: Site, x: Ref, apply: Callable[[Ref], Ref]) -> Ref:
    """Run `apply` on a tensor with the same last axis and a rank that tfjs-layers can normalize."""
    if x.rank <= _MAX_RANK:
        return apply(x)
    positions = None if None in x.shape[1:-1] else math.prod(d or 1 for d in x.shape[1:-1])
    flat = reshape(site, x, (x.shape[0], positions, x.shape[-1]), "positions")
    return reshape(site, apply(flat), x.shape, "back")


def _axis(site: Site, axis: Any, rank: int) -> int:
    axes = axis if isinstance(axis, list) else [axis]
    if len(axes) != 1:
        raise RefusedError(f"axis={axis!r}: tfjs-layers takes one axis")
    position = int(axes[0]) % rank
    if position == 0:
        raise RefusedError(f"axis={axis!r}: it normalizes over the samples")
    return position


def batch_normalization(site: Site) -> list[Ref]:
    """Convert BatchNormalization; the cpu and wasm backends apply statistics to the last axis, for any `axis`."""
    x = site.input
    axis = _axis(site, site.config()["axis"], x.rank)

    def normalize(y: Ref) -> Ref:
        return _in_rank(site, y, lambda z: site.by_table(inputs=[z], shape=z.shape, axis=z.rank - 1)[0])

    if axis == x.rank - 1:
        return [normalize(x)]
    site.note(f"axis {axis} moved to the end and back")
    return [move_last(site, x, axis, normalize)]


def layer_normalization(site: Site) -> list[Ref]:
    """Convert LayerNormalization; over the last axis only, in any rank."""
    x, axis = site.input, site.config()["axis"]
    axes = [int(a) % x.rank for a in (axis if isinstance(axis, list) else [axis])]
    if axes != sorted(axes) or 0 in axes:
        raise RefusedError(f"axis={axis!r}: tfjs-layers takes axes after the sample's, in order")
    if axes == [x.rank - 1]:
        return [_in_rank(site, x, lambda z: site.by_table(inputs=[z], shape=z.shape, axis=[z.rank - 1])[0])]
    if x.rank > _MAX_RANK:
        raise RefusedError(f"tfjs-layers normalizes tensors of at most {_MAX_RANK} axes")
    return site.by_table(axis=axes)


def normalization(site: Site) -> list[Ref]:
    """Convert Normalization, which tfjs-layers lacks, to BatchNormalization with the adapted statistics.

    ``(x - mean) / max(sqrt(variance), 1e-7)``, and its inverse.
    """
    x, config = site.input, site.config()
    if x.dtype != "float32":
        x = identity(site, x, "cast")
    axis = config.get("axis")
    axes = axis if isinstance(axis, list) else [] if axis is None else [axis]
    if [int(a) % x.rank for a in axes] not in ([], [x.rank - 1]):
        raise RefusedError(f"axis={axis!r}: the rewriting needs the last axis")
    channels = x.shape[-1]
    if channels is None or site.layer.mean is None:
        raise RefusedError("it was never adapted, or its last dimension is unknown")
    mean = np.broadcast_to(array(site.layer.mean).reshape(-1), (channels,))
    deviation = np.maximum(np.sqrt(np.broadcast_to(array(site.layer.variance).reshape(-1), (channels,))), 1e-7)
    site.note("as BatchNormalization with the adapted mean and variance")
    zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    inverse = bool(config.get("invert", False))
    weights = [("gamma", deviation), ("beta", mean)] if inverse else []
    weights += [("moving_mean", zeros if inverse else mean), ("moving_variance", ones if inverse else deviation**2)]
    arguments = {"epsilon": 0.0, "center": inverse, "scale": inverse}
    fixed = [(name, value.astype(np.float32)) for name, value in weights]

    def normalize(z: Ref) -> Ref:
        return site.emit("BatchNormalization", {**arguments, "axis": z.rank - 1}, [z], z.shape, weights=fixed)

    return [_in_rank(site, x, normalize)]


def group_normalization(site: Site) -> list[Ref]:
    """Convert GroupNormalization, which tfjs-layers lacks, to LayerNormalization of each group, then scale and offset.

    Groups are consecutive channels: (positions, channels) becomes (positions, groups, channels of a
    group), normalized over the first and last of the three.
    """
    x, config = site.input, site.config()
    channels, groups = x.shape[-1], int(config["groups"])
    if _axis(site, config["axis"], x.rank) != x.rank - 1 or channels is None:
        raise RefusedError(f"axis={config['axis']!r}: the rewriting needs the last axis, of known size")
    groups = channels if groups == -1 else groups
    positions = None if None in x.shape[1:-1] else math.prod(d or 1 for d in x.shape[1:-1])
    grouped = reshape(site, x, (x.shape[0], positions, groups, channels // groups), "grouped")
    site.note(f"as LayerNormalization of {groups} groups")
    norm = {"axis": [1, 3], "epsilon": config["epsilon"], "center": False, "scale": False}
    normed = site.emit("LayerNormalization", norm, [grouped], grouped.shape, part="normalized")
    flat = reshape(site, normed, (x.shape[0], positions, channels), "channels")
    if config["scale"] or config["center"]:
        flat = _scale_and_offset(site, flat, channels)
    return [reshape(site, flat, x.shape)]


def layer_scale(site: Site) -> list[Ref]:
    """Convert LayerScale of Keras's ConvNeXt: a factor for each channel."""
    return [_in_rank(site, site.input, lambda z: _scale_and_offset(site, z, int(z.shape[-1] or 0), offset=False))]


def _scale_and_offset(site: Site, x: Ref, channels: int, *, offset: bool = True) -> Ref:
    """Emit ``x * gamma + beta``, as BatchNormalization of mean 0 and variance 1."""
    gamma, beta = getattr(site.layer, "gamma", None), getattr(site.layer, "beta", None) if offset else None
    weights = [(name, array(value)) for name, value in (("gamma", gamma), ("beta", beta)) if value is not None]
    zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    weights += [("moving_mean", zeros), ("moving_variance", ones)]
    arguments = {"axis": x.rank - 1, "epsilon": 0.0, "center": beta is not None, "scale": gamma is not None}
    return site.emit("BatchNormalization", arguments, [x], x.shape, weights=weights, part="affine")
