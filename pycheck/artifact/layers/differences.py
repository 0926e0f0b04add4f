"""Compares the layers of a given artifact with those of a new conversion: missing, added and changed layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...types import ArtifactDifferences
from ..document import Document
from .arguments import changes, same_weights
from .ranks import input_ranks
from .table import is_identity_at_inference
from .topology import LayerPlan, ModelPlan, Ref, read_plan


@dataclass(slots=True)
class _Layers:
    """The layers of a model and of those within it, with the layers that each one reads."""

    plans: dict[str, LayerPlan] = field(default_factory=dict)
    reads: dict[str, set[str]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    ranks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document) -> _Layers:
        layers = cls()
        plan = read_plan(document)
        layers.inputs = list(plan.inputs)
        layers.outputs = layers._run(plan, layers.inputs)
        layers.ranks = input_ranks(document.topology)
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
        """Return the layers that do not return their input unchanged."""
        return [name for name, plan in self.plans.items() if _computes(plan)]

    def sources(self, names: Collection[str]) -> set[str]:
        """Return the inputs and the computing layers that these layers read first on each path."""
        found = set[str]()
        for name in names:
            hands_on = name in self.plans and not _computes(self.plans[name])
            found |= self.sources(self.reads[name]) if hands_on else {name}
        return found

    def behind(self, places: Collection[str]) -> list[bool]:
        """Tell for each output whether it depends on one of these layers."""
        return [bool(self._before(output).intersection(places)) for output in self.outputs]

    def _before(self, layer: str) -> set[str]:
        found, pending = set[str](), [layer]
        while pending:
            if (name := pending.pop()) not in found:
                found.add(name)
                pending += self.reads.get(name, ())
        return found


def _computes(layer: LayerPlan) -> bool:
    is_linear = layer.class_name == "Activation" and layer.config.get("activation") in (None, "linear")
    return not is_identity_at_inference(layer.class_name) and not is_linear


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The pairs of the artifact's layers and the model's, and the layers that may have several partners."""

    theirs: Mapping[str, str]
    unsure: tuple[Collection[str], Collection[str]]


def layers_differences(
    made: Document, given: Document, own: Mapping[str, Mapping[str, Any]], outputs: Sequence[str]
) -> ArtifactDifferences | None:
    """Return the differences between a new conversion and an artifact of the same model; None if there are none.

    `own` are the configurations of the model's Keras layers by name: a converter may write a layer as several, so a
    layer that equals the model's is no difference. `outputs` are the model's names of the artifact's outputs, in its
    order. ArtifactFileError for layers that cannot be read.
    """
    ours, theirs = _Layers.of(made), _Layers.of(given)
    if _is_same_in_order(ours, theirs, own):
        return None
    by_name = _paired(ours, theirs, lambda ours, theirs: not _is_automatic(ours) or same_weights(ours, theirs))
    by_order = _paired(ours, theirs, lambda ours, theirs: not _is_automatic(ours))
    found = [_differences(ours, theirs, own, outputs, pairs) for pairs in (by_name, by_order)]
    told, _ = min(found, key=lambda each: each[1])  # the first, if both are equal
    return told if told.missing or told.extra or told.changed else None


def _is_same_in_order(ours: _Layers, theirs: _Layers, own: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether the same layers compute in the same order on the same inputs, whatever their names."""
    if (len(ours.computing), len(ours.inputs)) != (len(theirs.computing), len(theirs.inputs)):
        return False
    pairs = dict(zip([*ours.inputs, *ours.computing], [*theirs.inputs, *theirs.computing], strict=True))
    read = [(ours.reads[name], theirs.reads[pairs[name]]) for name in ours.computing]
    read += [({a}, {b}) for a, b in zip(ours.outputs, theirs.outputs, strict=True)]
    if any({pairs[name] for name in ours.sources(a)} != theirs.sources(b) for a, b in read):
        return False
    return not any(_changed(ours, theirs, own, name, pairs[name]) for name in ours.computing)


def _changed(
    ours: _Layers, theirs: _Layers, own: Mapping[str, Mapping[str, Any]], name: str, other: str
) -> tuple[str, ...]:
    rank = ours.ranks.get(name, theirs.ranks.get(other))
    return tuple(changes(ours.plans[name], theirs.plans[other], own.get(name, {}), rank))


def _differences(
    ours: _Layers, theirs: _Layers, own: Mapping[str, Mapping[str, Any]], outputs: Sequence[str], pairs: _Pairs
) -> tuple[ArtifactDifferences, int]:
    """Return the differences for these pairs, and their number."""
    other_of, (unsure, unsure_theirs) = pairs.theirs, pairs.unsure
    known = set(other_of.values())
    missing = [n for n in ours.computing if n not in other_of and n not in unsure and n in own]
    extra = [n for n in theirs.computing if n not in known and n not in unsure_theirs and n not in own]
    changed: list[str] = []
    places = list(extra)
    for name, other in other_of.items():
        if texts := _changed(ours, theirs, own, name, other):
            changed.append(f"{other} ({theirs.plans[other].class_name}): {'; '.join(texts)}")
            places.append(other)
        elif {other_of.get(read, read) for read in ours.reads[name]} != theirs.reads[other]:
            places.append(other)
    reached = [name for name, reaches in zip(outputs, theirs.behind(places), strict=True) if reaches]
    if any(layer in missing for layer in ours.outputs):
        reached = list(outputs)
    found = ArtifactDifferences(
        missing=tuple((name, ours.plans[name].class_name) for name in missing),
        extra=tuple((name, theirs.plans[name].class_name) for name in extra),
        changed=tuple(changed),
        places=tuple(places),
        outputs=tuple(reached),
    )
    return found, len(missing) + len(changed) + len(places) + len(unsure) + len(unsure_theirs)


def _is_automatic(layer: LayerPlan) -> bool:
    """Tell whether Keras made the name, from the class and a number that increases from model to model."""
    return re.sub(r"(_\d+)?$", "", layer.name).replace("_", "") == layer.class_name.lower()


def _paired(ours: _Layers, theirs: _Layers, trusted: Callable[[LayerPlan, LayerPlan], bool]) -> _Pairs:
    """Pair layers with the same name, if names are trusted; the others by class and order."""
    pairs = {n: n for n, plan in ours.plans.items() if n in theirs.plans and trusted(plan, theirs.plans[n])}
    by_class: list[dict[str, list[str]]] = [{}, {}]
    for side, plans in zip(by_class, (ours.plans, theirs.plans), strict=True):
        for name, plan in plans.items():
            if name not in pairs:
                side.setdefault(plan.class_name, []).append(name)
    unsure: tuple[list[str], list[str]] = ([], [])
    for kind, names in by_class[0].items():
        others = by_class[1].get(kind, [])
        if len(names) == len(others):
            pairs |= dict(zip(names, others, strict=True))
        elif others:
            unsure[0].extend(names)
            unsure[1].extend(others)
    order = {name: number for number, name in enumerate(ours.plans)}
    return _Pairs(dict(sorted(pairs.items(), key=lambda pair: order[pair[0]])), unsure)
