"""Holds the layers of a given artifact against those that its model converts to: what is missing, added, changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..types import ArtifactDifferences
from .document import Document
from .layers_table import TRAINING_ONLY_SUFFIXES
from .layers_topology import LayerPlan, ModelPlan, Ref, read_plan

#: Layers that hand on what they read.
_HANDING_ON = frozenset(
    {"ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"}
)
#: Arguments that play no part in what a layer computes, or are told by other findings.
_UNUSED = frozenset({"name", "dtype", "trainable", "batch_input_shape", "seed", "epsilon", "batch_size", "sparse"})


@dataclass(slots=True)
class _Layers:
    """The layers of a model and of those within it, with the layers that each one reads."""

    plans: dict[str, LayerPlan] = field(default_factory=dict)
    reads: dict[str, set[str]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, document: Document) -> _Layers:
        layers = cls()
        plan = read_plan(document)
        layers.outputs = layers._run(plan, list(plan.inputs))
        return layers

    def _run(self, plan: ModelPlan, given: Sequence[str]) -> list[str]:
        values: dict[tuple[str, int], list[str]] = {(n, 0): [v] for n, v in zip(plan.inputs, given, strict=True)}

        def value(ref: Ref) -> str:
            held = values[ref[0], ref[1]]
            return held[min(ref[2], len(held) - 1)]

        for call in plan.calls:
            layer, read = plan.layers[call.layer], [value(ref) for ref in call.inputs]
            if layer.model:
                values[call.layer, call.index] = self._run(layer.model, read)
            else:
                self.plans[layer.name] = layer
                self.reads.setdefault(layer.name, set()).update(read)
                values[call.layer, call.index] = [layer.name]
        return [value(ref) for ref in plan.outputs]

    @property
    def computing(self) -> list[str]:
        """The layers that do not hand on what they read."""
        return [name for name, plan in self.plans.items() if _computes(plan)]

    def behind(self, places: Collection[str]) -> list[bool]:
        """For each output, whether it depends on one of these layers."""
        return [bool(self._before(output).intersection(places)) for output in self.outputs]

    def _before(self, layer: str) -> set[str]:
        found, pending = set[str](), [layer]
        while pending:
            if (name := pending.pop()) not in found:
                found.add(name)
                pending += self.reads.get(name, ())
        return found


def _computes(layer: LayerPlan) -> bool:
    is_linear = layer.class_name == "Activation" and layer.config.get("activation") == "linear"
    return layer.class_name not in _HANDING_ON and not is_linear


def layers_differences(
    made: Document, given: Document, own: Mapping[str, Mapping[str, Any]], outputs: Sequence[str]
) -> ArtifactDifferences | None:
    """What differs between a fresh conversion and an artifact of the same model; None where nothing is known to.

    `own` are the configurations of the model's Keras layers by name: a converter may write a layer as others, so what
    the artifact has as the model itself does is no difference. `outputs` are the model's names of the artifact's
    outputs, in its order. ArtifactFileError for layers that cannot be read.
    """
    ours, theirs = _Layers.of(made), _Layers.of(given)
    renamed, unsure = _renamed(ours, theirs)
    known = {renamed.get(name, name) for name in ours.plans}
    missing = [n for n in ours.computing if renamed.get(n, n) not in theirs.plans and n not in unsure and n in own]
    extra = [n for n in theirs.computing if n not in known and n not in unsure and n not in own]
    changed: list[str] = []
    places = list(extra)
    for name, plan in ours.plans.items():
        other = renamed.get(name, name)
        if other not in theirs.plans:
            continue
        if texts := list(_changes(plan, theirs.plans[other], own.get(name, {}))):
            changed.append(f"{other} ({theirs.plans[other].class_name}): {'; '.join(texts)}")
            places.append(other)
        elif {renamed.get(read, read) for read in ours.reads[name]} != theirs.reads[other]:
            places.append(other)
    if not missing and not extra and not changed:
        return None
    reached = [name for name, reaches in zip(outputs, theirs.behind(places), strict=True) if reaches]
    if any(layer in missing for layer in ours.outputs):
        reached = list(outputs)
    return ArtifactDifferences(
        missing=tuple((name, ours.plans[name].class_name) for name in missing),
        extra=tuple((name, theirs.plans[name].class_name) for name in extra),
        changed=tuple(changed),
        places=tuple(places),
        outputs=tuple(reached),
    )


def _renamed(ours: _Layers, theirs: _Layers) -> tuple[dict[str, str], set[str]]:
    """Layers that have another name in the artifact, told by class and order; and those that may be any of several."""
    left = [[name for name in one.plans if name not in other.plans] for one, other in ((ours, theirs), (theirs, ours))]
    by_class: list[dict[str, list[str]]] = [{}, {}]
    for side, names, plans in zip(by_class, left, (ours.plans, theirs.plans), strict=True):
        for name in names:
            side.setdefault(plans[name].class_name, []).append(name)
    renamed: dict[str, str] = {}
    unsure: set[str] = set()
    for kind, names in by_class[0].items():
        others = by_class[1].get(kind, [])
        if len(names) == len(others):
            renamed |= dict(zip(names, others, strict=True))
        elif others:
            unsure.update(names, others)
    return renamed, unsure


def _changes(ours: LayerPlan, theirs: LayerPlan, own: Mapping[str, Any]) -> Iterator[str]:
    if ours.class_name != theirs.class_name:
        yield f"its class is {theirs.class_name}, in the model {ours.class_name}"
        return
    for key in sorted(ours.config.keys() & theirs.config.keys()):
        if key in _UNUSED or key.endswith(TRAINING_ONLY_SUFFIXES) or isinstance(ours.config[key], dict):
            continue
        values = _plain(ours.config[key]), _plain(theirs.config[key])
        if values[0] != values[1] and (key not in own or _plain(own[key]) != values[1]):
            yield f"{key} is {theirs.config[key]}, in the model {ours.config[key]}"


def _plain(value: Any) -> Any:
    """Values that mean the same look the same: 2 and [2, 2], (1,) and [1]."""
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return items[0] if items and all(item == items[0] for item in items) else items
    return value
