"""Assigns the weights of a layers artifact to the layers, by the names that tfjs-layers reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import ArtifactFileError
from ..document import Document
from ..weights import Array

#: Attributes of a layer that hold layers with weights: of wrappers and recurrent layers.
_PARTS = ("forward_layer", "backward_layer", "layer", "cell", "cells")


def assign_weights(
    document: Document, layers: Sequence[tuple[str, Any]], weights: Mapping[str, Array]
) -> dict[str, list[str]]:
    """Set every variable of `layers` (artifact name, tf_keras layer) from `weights`; return the weights of each layer.

    A weight is named ``layer/kernel``. Later writers put the cell or the wrapped layer, and the wrapper or the model,
    between or before (``model/bidirectional/forward_lstm/lstm_cell/kernel``). tfjs-layers reads the last part and the
    layer's name, and so does this function; the nearest name wins, then the order of the manifest.

    ArtifactFileError: a layer's weight is missing or has a different shape.
    """
    unused = dict(weights)
    taken: dict[str, list[str]] = {}
    for name, layer in layers:
        for owner, position, variable in _variables(name, layer):
            found = _find(unused, owner, name, variable, position)
            if found is None:
                raise ArtifactFileError(
                    f"Cannot read {document.file}: the layer {name!r} has no weight for its {_last(variable.name)} "
                    f"{list(variable.shape)}{_of_other_shape(unused, owner, name, variable)}.",
                    f"Convert the model again. The manifest has: {', '.join(list(weights)[:12])}.",
                )
            variable.assign(unused.pop(found))
            taken.setdefault(name, []).append(found)
    return taken


def assigned(layers: Sequence[tuple[str, Any]], taken: Mapping[str, Sequence[str]]) -> Iterator[tuple[Any, str, str]]:
    """Return each variable, its layer and its weight; `taken` is the result of `assign_weights`."""
    names = {layer: iter(weights) for layer, weights in taken.items()}
    for name, layer in layers:
        for _, _, variable in _variables(name, layer):
            yield variable, name, next(names[name])


def _variables(name: str, layer: Any) -> Iterator[tuple[str, int, Any]]:
    """Yield each variable with the name of the part that has it, and its position within that part."""
    parts = [part for key in _PARTS if (part := getattr(layer, key, None)) is not None]
    inner = [item for part in parts for item in (part if isinstance(part, list | tuple) else [part])]
    if not inner or not any(getattr(item, "weights", None) for item in inner):
        for position, variable in enumerate(layer.weights):
            yield name, position, variable
        return
    for item in inner:
        is_cell = "Cell" in type(item).__name__
        yield from _variables(name if is_cell else item.name, item)


def _of_other_shape(weights: Mapping[str, Array], owner: str, layer: str, variable: Any) -> str:
    """Return a clause about a weight with this layer and name, if only its shape is wrong."""
    for name, value in weights.items():
        *path, last = name.split("/")
        if last == _last(variable.name) and _nearness(path, owner, layer) is not None:
            return f": {name} is {list(value.shape)}"
    return ""


def _find(weights: Mapping[str, Array], owner: str, layer: str, variable: Any, position: int) -> str | None:
    best: tuple[int, str] | None = None
    for name, value in weights.items():
        *path, last = name.split("/")
        if tuple(value.shape) != tuple(variable.shape) or last not in (_last(variable.name), str(position)):
            continue
        score = _nearness(path, owner, layer)
        if score is not None and (best is None or score < best[0]):
            best = (score, name)
    return best[1] if best else None


def _nearness(path: Sequence[str], owner: str, layer: str) -> int | None:
    """Return how far the part's name is from the weight's; None if neither name is on the path."""
    for name, penalty in ((owner, 0), (layer, 100)):
        if name in path:
            behind = len(path) - 1 - (len(path) - 1 - list(reversed(path)).index(name))
            return penalty + 10 * behind + len(path)
    return None


def _last(name: str) -> str:
    return name.split("/")[-1].split(":")[0]
