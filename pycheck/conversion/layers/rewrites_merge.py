"""Converts merging layers: broadcasting with the same meaning, and Subtract, which tfjs-layers lacks."""

from __future__ import annotations

from .composed import scale
from .rewrites_shape import identity
from .site import Site
from .target import Ref, RefusedError, Shape


def merge(site: Site) -> list[Ref]:
    """Convert Add, Multiply, Average, Maximum, Minimum."""
    if len(site.inputs) == 1:
        return [identity(site, site.inputs[0])]
    return site.by_table()


def subtract(site: Site) -> list[Ref]:
    """Convert Subtract to the sum of the first and the negated second, which rounds the same."""
    if len(site.inputs) != 2:
        raise RefusedError(f"it is called on {len(site.inputs)} tensors, not two")
    site.note("as the sum with the negative")
    return [difference(site, *site.inputs, site.output.shape)]


def difference(site: Site, x: Ref, y: Ref, shape: Shape) -> Ref:
    """Emit ``x - y``."""
    return site.emit("Add", {}, [x, scale(site, y, -1.0, part="negated")], shape)


def custom_scale(site: Site) -> list[Ref]:
    """Convert CustomScaleLayer of Keras's InceptionResNetV2: the first plus a multiple of the second."""
    x, y = site.inputs
    scaled = scale(site, y, float(site.config()["scale"]))
    return [site.emit("Add", {}, [x, scaled], site.output.shape)]


def dot(site: Site) -> list[Ref]:
    """Convert Dot over one axis of each, for matrices and rows of matrices, which is all that tfjs-layers supports."""
    axes = site.config()["axes"]
    axes = axes if isinstance(axes, list) else [axes, axes]
    if len(site.inputs) != 2 or any(ref.rank > 3 for ref in site.inputs):
        raise RefusedError("tfjs-layers takes Dot of two tensors of at most three axes")
    axes = [int(axis) % ref.rank for axis, ref in zip(axes, site.inputs, strict=True)]
    if 0 in axes:
        raise RefusedError("axes: it contracts the samples")
    return site.by_table(axes=axes)
