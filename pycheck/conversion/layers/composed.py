"""Composes small functions from tfjs layers: activations that tfjs-layers lacks, and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .activations import same_in_tfjs
from .target import Ref, RefusedError

if TYPE_CHECKING:  # which composes activations with these functions
    from .site import Site


def activate(site: Site, name: str, x: Ref, part: str = "") -> Ref:
    """Emit an activation of tfjs-layers as a layer."""
    return site.emit("Activation", {"activation": name}, [x], x.shape, part=part)


def scale(site: Site, x: Ref, factor: float, offset: float = 0.0, part: str = "scaled") -> Ref:
    """Emit ``factor * x + offset``."""
    return site.emit("Rescaling", {"scale": factor, "offset": offset}, [x], x.shape, part=part)


def compose(site: Site, activation: tuple[str, str], x: Ref) -> Ref:
    """Emit layers that compute an activation which tfjs-layers lacks.

    Args:
        activation: Library and name, one of those for which `activations.is_composed` is true.
    """
    framework, name = activation
    same = same_in_tfjs(framework, name)
    if same:
        return activate(site, same, x)
    if name == "hard_sigmoid":
        site.note("hard_sigmoid of Keras 3 as clip(x / 6 + 0.5, 0, 1)")
        return hard_sigmoid(site, x)
    if name == "hard_silu":
        site.note("hard_silu as x * clip(x / 6 + 0.5, 0, 1)")
        return site.emit("Multiply", {}, [x, hard_sigmoid(site, x)], x.shape, part="hard_silu")
    if name == "leaky_relu":
        return leaky_relu(site, x, 0.2)
    if name == "log_sigmoid":
        return scale(site, activate(site, "softplus", scale(site, x, -1.0, part="negated"), "softplus"), -1.0)
    raise RefusedError(f"activation {name} is not one that tfjs-layers has")


def hard_sigmoid(site: Site, x: Ref) -> Ref:
    """Emit ``clip(x / 6 + 0.5, 0, 1)``."""
    inner = scale(site, x, 1.0 / 6.0, 0.5, part="hard_sigmoid_scaled")
    return site.emit("ReLU", {"max_value": 1.0}, [inner], x.shape, part="hard_sigmoid")


def leaky_relu(site: Site, x: Ref, slope: float) -> Ref:
    """Emit a leaky ReLU with a given slope."""
    return site.emit("LeakyReLU", {"alpha": slope}, [x], x.shape, part="leaky_relu")


def permute(site: Site, x: Ref, dims: list[int], part: str) -> Ref:
    """Reorder the axes after the sample's; `dims` counts from 1, as Keras does."""
    shape = (x.shape[0], *(x.shape[d] for d in dims))
    return site.emit("Permute", {"dims": dims}, [x], shape, part=part, dtype=x.dtype)
