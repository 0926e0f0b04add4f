"""Converts layers that are activations, and the axis that they work along."""

from __future__ import annotations

from collections.abc import Callable

from ...artifact.layers.table import RULES
from .activations import activation_name, same_in_tfjs
from .composed import activate, compose, leaky_relu, permute
from .site import Site
from .target import Ref, RefusedError


def activation_layer(site: Site) -> list[Ref]:
    """Convert Activation: to one layer, or to layers that compute it."""
    activation = activation_name(site.layer.activation)
    if same_in_tfjs(*activation):
        return site.by_table()
    site.arguments(RULES["Activation"], {"activation": "linear"})
    return [compose(site, activation, site.input)]


def relu(site: Site) -> list[Ref]:
    """Convert ReLU: with a slope to LeakyReLU, with a threshold to ThresholdedReLU."""
    config = site.config()
    slope, threshold = float(config.get("negative_slope") or 0), float(config.get("threshold") or 0)
    if slope and not threshold and config.get("max_value") is None:
        return [leaky_relu(site, site.input, slope)]
    if threshold and not slope and config.get("max_value") is None:
        return [site.emit("ThresholdedReLU", {"theta": threshold}, [site.input], site.output.shape)]
    return site.by_table()


def softmax(site: Site) -> list[Ref]:
    """Convert Softmax: over the last axis to an activation, over a different axis to that between two Permutes.

    tfjs-layers's own Softmax class fails on any other axis than the last, and reads masks of other layers.
    """
    axis = site.config()["axis"]
    axes = axis if isinstance(axis, list) else [axis]
    x = site.input
    last = x.rank - 1
    axes = sorted(a % x.rank for a in axes)
    if 0 in axes:
        raise RefusedError(f"axis={axis!r}: it normalizes over the samples")
    if len(axes) > 1:
        return site.by_table(axis=axes)
    if axes == [last]:
        return [activate(site, "softmax", x)]
    return [move_last(site, x, axes[0], lambda moved: activate(site, "softmax", moved))]


def move_last(site: Site, x: Ref, axis: int, apply: Callable[[Ref], Ref]) -> Ref:
    """Run `apply` with `axis` moved to the end, and move it back."""
    dims = [i for i in range(1, x.rank) if i != axis] + [axis]
    moved = permute(site, x, dims, "to_last")
    back = [dims.index(i) + 1 for i in range(1, x.rank)]
    return permute(site, apply(moved), back, "from_last")
