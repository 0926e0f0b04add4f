"""Finds attributes and weights of an artifact's layer or node that differ from a fresh conversion of the model."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifact import Point
from ..artifact.document import Document, read_document
from ..artifact.epsilons import configurations
from ..artifact.weights import decode_weights
from ..types import Array, ArtifactInfo

if TYPE_CHECKING:
    from ..model import Model

_MOST = 3
#: Arguments that do not change the result of a layer.
_UNUSED = ("name", "dtype", "trainable", "module", "registered_name", "build_config", "batch_input_shape", "seed")
_UNUSED_ENDINGS = ("_initializer", "_regularizer", "_constraint")
#: Weights that differ by less, relative to the largest, are equal: folding may round in a different order.
_SAME = 1e-6
_ALIKE = 1e-3
_ABSENT = "absent"


def differences(model: Model, artifact: ArtifactInfo, points: Sequence[Point]) -> dict[str, str]:
    """Compare attributes and weights of these points with those of a fresh conversion of the model.

    ConversionError and ArtifactFileError if there is no fresh conversion to compare with.
    """
    from ..conversion import convert

    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        fresh = convert(model, Path(folder, "artifact"), format=artifact.format)
        made, given = (read_document(a.folder / a.model_file) for a in (fresh, artifact))
        weights = decode_weights(made), decode_weights(given)
    of = _of_layer if artifact.format == "layers" else _of_node
    found: dict[str, str] = {}
    for point in points:
        texts = list(of(point, made, given, *weights))
        if texts:
            more = [f"and {len(texts) - _MOST} more"] if len(texts) > _MOST else []
            found[point.name] = "; ".join([*texts[:_MOST], *more])
    return found


def _of_layer(
    point: Point, made: Document, given: Document, ours: Mapping[str, Array], theirs: Mapping[str, Array]
) -> Iterator[str]:
    layer = (point.layer or point.name).rpartition("/")[2].partition("@")[0]
    (our_class, our_config), (their_class, their_config) = (
        dict(configurations(document)).get(layer, ("", {})) for document in (made, given)
    )
    if our_class != their_class:
        yield _told("its class", our_class, their_class)
    for key in sorted(our_config.keys() & their_config.keys()):
        if key in _UNUSED or key.endswith(_UNUSED_ENDINGS) or isinstance(our_config[key], dict):
            continue
        if _plain(our_config[key]) != _plain(their_config[key]):
            yield _told(key, our_config[key], their_config[key])
    unused = {name: value for name, value in theirs.items() if layer in name.split("/")}
    for name, value in ours.items():
        *path, last = name.split("/")
        if layer in path:
            same = [n for n, v in unused.items() if n.rpartition("/")[2] == last and v.shape == value.shape]
            best = name if name in same else next(iter(same), None)
            if best is not None:
                yield from _of_weight(last, value, unused.pop(best))


def _of_node(
    point: Point, made: Document, given: Document, ours: Mapping[str, Array], theirs: Mapping[str, Array]
) -> Iterator[str]:
    name = point.tensor.partition(":")[0]
    our_node, their_node = (
        next((node for node in document.topology["node"] if node["name"] == name), None) for document in (made, given)
    )
    if our_node is None or their_node is None:
        return
    if our_node["op"] != their_node["op"]:
        yield _told("its operation", our_node["op"], their_node["op"])
    our_attr, their_attr = our_node.get("attr", {}), their_node.get("attr", {})
    for key in sorted(our_attr.keys() | their_attr.keys()):
        values = [_read(attr[key]) if key in attr else _ABSENT for attr in (our_attr, their_attr)]
        if values[0] != values[1] and not key.startswith("_"):
            yield _told(key, *values)
    for ref in our_node.get("input", []):
        weight = ref.partition(":")[0]
        if weight in ours and weight in theirs:
            yield from _of_weight(weight, ours[weight], theirs[weight])


def _read(attribute: Mapping[str, Any]) -> Any:
    """Format an attribute of a node."""
    for kind, value in attribute.items():
        if kind == "s":
            return _text(value)
        if kind == "list":
            return [_text(item) if inner == "s" else item for inner, items in value.items() for item in items]
        return value
    return _ABSENT


def _text(value: Any) -> str:
    try:
        return base64.b64decode(value, validate=True).decode() if isinstance(value, str) else str(value)
    except ValueError:
        return str(value)


def _plain(value: Any) -> Any:
    """Normalize values with the same meaning, such as 2 and [2, 2], (1,) and [1]."""
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return items[0] if items and all(item == items[0] for item in items) else items
    return value


def _told(what: str, ours: Any, theirs: Any) -> str:
    return f"{what} is {_shown(theirs)}, in the model {_shown(ours)}"


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def _of_weight(name: str, ours: Array, theirs: Array) -> Iterator[str]:
    if ours.shape != theirs.shape:
        yield _told(f"the shape of {name}", list(ours.shape), list(theirs.shape))
        return
    if ours.dtype.kind not in "fiu" or not ours.size:
        return
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    scale = float(np.abs(a[np.isfinite(a)]).max(initial=0.0)) or 1.0
    with np.errstate(invalid="ignore"):
        change = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, b - a)
    off = ~(np.abs(change) <= _SAME * scale)
    count = int(off.sum())
    if not count:
        return
    large = np.isfinite(a) & (np.abs(a) > _ALIKE * scale)
    has_pattern = count > 1 and bool(np.isfinite(change).all())
    if has_pattern and large.any() and _constant(ratio := b[large] / a[large]):
        yield f"{name} is {ratio.mean():.4g} times the model's"
    elif has_pattern and count == a.size and _constant(change):
        yield f"{name} is {abs(change.mean()):.4g} {'above' if change.mean() > 0 else 'below'} the model's"
    else:
        place = np.unravel_index(int(np.argmax(np.where(off, np.nan_to_num(np.abs(change), nan=np.inf), 0))), a.shape)
        at = f" at {[int(i) for i in place]}" if a.ndim else ""
        yield f"{count:,} of {a.size:,} values of {name} differ, most{at}: {b[place]:.4g}, in the model {a[place]:.4g}"


def _constant(values: Array) -> bool:
    mean = float(values.mean())
    return bool(np.isfinite(mean) and mean and np.abs(values - mean).max() <= _ALIKE * abs(mean))
