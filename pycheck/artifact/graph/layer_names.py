"""Finds the Keras layer that a node of a graph artifact came from, by the node's name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

#: Parts that calls and exports add before a layer's name, or within it.
_SCOPES = re.compile(r"(?:Stateful)?PartitionedCall(?:_\d+)?|[Ss]erving_default.*|while(?:_\d+)?|cond(?:_\d+)?")
_MOSTLY = 0.5  # the share of nodes with a scope that begin with the model's name


class LayerNames:
    """The names of layers: the layer of a node is the deepest part of its name that is a layer, or else a guess."""

    def __init__(self, nodes: Iterable[str], layers: Collection[str] = ()) -> None:
        self._layers = frozenset(layers)
        firsts = Counter(scopes[0] for scopes in map(_scopes, nodes) if len(scopes) > 1)
        total = sum(firsts.values())
        self._model_scopes = {scope for scope, count in firsts.most_common(1) if count > _MOSTLY * total and total > 1}

    def of(self, node: str) -> str | None:
        """Return the layer's name; None if the node's name does not show it."""
        if self._layers:
            return self._known(node)
        scopes = _scopes(node)
        if scopes and scopes[0] in self._model_scopes:
            scopes = scopes[1:]
        return scopes[0] if scopes else None

    def _known(self, node: str) -> str | None:
        found = (layer_of_scope(part, self._layers) for part in reversed(node.split("/")[:-1] or [node]))
        return next(filter(None, found), None)


def layer_of_scope(scope: str, layers: Collection[str]) -> str | None:
    """Return the layer that a part of a node's name stands for, or None.

    Keras 3 numbers the scope of a layer that is called or exported again: ``dense_1`` may be the layer ``dense``.
    """
    while scope not in layers:
        unnumbered = re.sub(r"_\d+$", "", scope)
        if unnumbered == scope:
            return None
        scope = unnumbered
    return scope


def _scopes(node: str) -> list[str]:
    return [part for part in node.split("/")[:-1] if part and not _SCOPES.fullmatch(part)]
