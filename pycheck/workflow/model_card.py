"""The facts about a model that the cache keeps, so that a later run needs neither the model nor TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from ..types import InputHint, ModelInfo, NonfiniteWeight, TrainingCall

if TYPE_CHECKING:
    from ..model import Model

_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The facts about a model, as they are in the cache."""

    info: ModelInfo
    input_hints: dict[str, InputHint]
    layers: tuple[str, ...]
    epsilons: dict[str, float]  # by layer
    weights: tuple[NonfiniteWeight, ...]
    training_calls: tuple[TrainingCall, ...] = ()
    largest_activation: int = 1  # elements for one sample
    precision: str | None = None  # a float type coarser than float32
    inputs_of_outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    casts_inside: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def write(self, entry: Path) -> None:
        """Write it into the folder of a cache entry."""
        (entry / _FILE).write_bytes(_CARD.dump_json(self))


_CARD = TypeAdapter(ModelCard)


def stored_card(entry: Path) -> ModelCard:
    """Read it from the folder of a cache entry."""
    return _CARD.validate_json((entry / _FILE).read_bytes())


def card_of(model: Model) -> ModelCard:
    """Extract the facts from a loaded model."""
    from ..model.evidence import epsilons, layers_of, nonfinite_weights, training_calls

    keras_model = model.keras_model
    return ModelCard(
        model.info,
        dict(model.input_hints),
        tuple(dict.fromkeys(str(layer.name) for layer in layers_of(keras_model))),
        epsilons(keras_model),
        nonfinite_weights(keras_model),
        training_calls(keras_model, model.training_calls),
        model.activations.largest,
        model.precision,
        dict(model.inputs_of_outputs),
        dict(model.casts_inside),
    )
