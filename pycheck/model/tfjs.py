"""Loads a TF.js model.json as a model: its execution in Python is then the reference."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifact import ArtifactGraph, read_artifact
from ..artifact.document import Document, read_document
from ..types import ModelInfo, Tensors
from .callable import trace_graph
from .graph import FrozenGraph
from .kind import ModelSource
from .loaded import Model

if TYPE_CHECKING:
    from ..graphdef.session import Session


class TfjsModel(Model):
    """A Model that runs its graph as it is written.

    A traced function would lose the links between constants and loops.
    """

    @cached_property
    def _session(self) -> Session:
        from ..graphdef.session import Session

        frozen = self.frozen()
        # An input and an output may have the same name.
        return Session(frozen.graph_def, {**frozen.outputs, **{f"{name}\0": t for name, t in frozen.inputs.items()}})

    def predict(self, tensors: Tensors) -> dict[str, np.ndarray[Any, Any]]:
        """Compute outputs by name, from inputs by name."""
        feeds = {f"{spec.name}\0": tensors[spec.name] for spec in self.info.signature.inputs}
        return self._session.run(feeds, [spec.name for spec in self.info.signature.outputs])


def load_tfjs(source: ModelSource) -> Model:
    """Load the artifact as a Model; `keras_model` is None, because there are no Keras layers to convert.

    Inputs and outputs have the names of the artifact's signature, else of its nodes or layers. ArtifactFileError says
    what is damaged, unsafe or cannot be executed; ModelFileError says what pycheck does not support.
    """
    document = read_document(source.path)
    graph = read_artifact(source.path)
    frozen = _named(document, graph)
    traced = trace_graph(frozen.graph_def, frozen.inputs, frozen.outputs, batched=document.format == "layers")
    info = ModelInfo(str(source.path), source.format, source.sha256, traced.signature)
    converter = document.content.get("convertedBy") or "an unknown converter"
    notes = (f"a TF.js {document.format} model by {converter}, executed in Python", *graph.notes)
    return TfjsModel(info, traced, notes=notes, frozen=frozen)


def _named(document: Document, graph: ArtifactGraph) -> FrozenGraph:
    return FrozenGraph(
        graph_def=graph.graph_def,
        inputs={port.key: graph.inputs[port.tensor] for port in document.inputs},
        outputs={port.key: graph.outputs[port.tensor] for port in document.outputs},
    )
