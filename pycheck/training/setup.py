"""Prepares a training of a model with a recipe and data, for Python and for the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConversionError, UsageError
from ..protocol import PageRecipe, Penalty
from ..runtimes.browser.training import PageVariable
from ..types import Array, ArtifactInfo, InputHint, TrainingVariable
from .keras_models import penalties, trainable_copy
from .native import NativeTrainer, Rules
from .plan import Plan
from .recipe import LOSSES, Recipe

#: A function that changes the arguments of a layer of a class, such as its activation.
LayerChange = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """The model, recipe and data of a training. `model` is the Keras model as loaded."""

    model: Any
    recipe: Recipe
    plan: Plan
    change: LayerChange | None = None
    hints: Mapping[str, InputHint] = field(default_factory=dict)  # the values that the model expects of its inputs


@dataclass(frozen=True, slots=True)
class Ready:
    """A setup with its trainers. `notes` name the layers that are disabled during training, with the reason."""

    setup: Setup
    single: NativeTrainer
    double: NativeTrainer
    artifact: ArtifactInfo
    variables: tuple[TrainingVariable, ...]
    penalties: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...] = field(default=())


def prepare(setup: Setup, folder: Path) -> Ready:
    """Copy the model in both precisions and convert it, into a new folder.

    UsageError if it cannot be trained in TF.js.
    """
    from ..conversion import convert
    from ..model import load

    recipe = setup.recipe
    put = penalties(setup.model, recipe.l1, recipe.l2)
    copy32, notes = trainable_copy(setup.model, "float32", setup.change)
    copy64, _ = trainable_copy(setup.model, "float64", setup.change)
    single, double = NativeTrainer(copy32, recipe, put), NativeTrainer(copy64, recipe, put)
    try:
        artifact = convert(load(copy32), folder, format="layers")
    except ConversionError as error:
        raise UsageError(
            "Cannot train the model in TF.js: it can only become a graph artifact, whose weights are constants. "
            f"{error.message}",
            "Use only layers that tfjs-layers has.",
        ) from error
    variables = tuple(
        TrainingVariable(name, layer, tuple(value.shape), index < single.trainable_count)
        for index, (name, layer, value) in enumerate(zip(single.names, single.layers, single.weights, strict=True))
    )
    return Ready(setup, single, double, artifact, variables, put, notes)


def single_again(ready: Ready) -> NativeTrainer:
    """Make one more trainer of native:float32."""
    copy32, _ = trainable_copy(ready.setup.model, "float32", ready.setup.change)
    return NativeTrainer(copy32, ready.setup.recipe, ready.penalties)


def variant(ready: Ready, rules: Rules) -> NativeTrainer:
    """Make a trainer of native:float64 with different rules."""
    copy64, _ = trainable_copy(ready.setup.model, "float64", ready.setup.change)
    return NativeTrainer(copy64, ready.setup.recipe, ready.penalties, rules)


def page_recipe(ready: Ready, names: Mapping[str, str]) -> PageRecipe:
    """Make the recipe for the page; `names` maps the model's names of weights to the artifact's."""
    recipe = ready.setup.recipe
    optimizer, loss = recipe.optimizer, recipe.loss
    return PageRecipe(
        optimizer=optimizer.name,  # type: ignore[arg-type]
        learning_rate=optimizer.learning_rate,
        settings={name: float(value) for name, value in optimizer.settings.items()},
        epsilon=optimizer.epsilon,
        loss="formula" if loss.program else LOSSES[loss.name],
        from_logits=loss.from_logits,
        program=loss.program,
        clipnorm=recipe.clipnorm,
        global_clipnorm=recipe.global_clipnorm,
        clipvalue=recipe.clipvalue,
        penalties=tuple(Penalty(names[name], *l1_l2) for name, l1_l2 in ready.penalties.items() if name in names),
        frozen=tuple(names[v.name] for v in ready.variables if not v.trainable and v.name in names),
        batch_size=ready.setup.plan.batch_size,
    )


def pair(
    variables: Sequence[TrainingVariable], values: Sequence[Array], page: Sequence[PageVariable]
) -> tuple[int | None, ...]:
    """Pair each variable of the model with the page's variable of the same initial bytes; equal names come first."""
    free = dict(enumerate(page))
    found: list[int | None] = []
    for variable, value in zip(variables, values, strict=True):
        alike = [i for i, other in free.items() if _same(value, other.value)]
        named = [i for i in alike if free[i].name == variable.name]
        last = [i for i in alike if free[i].name.rpartition("/")[2] == variable.name.rpartition("/")[2]]
        best = next(iter(named or last or alike), None)
        found.append(best)
        if best is not None:
            del free[best]
    return tuple(found)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one.astype(np.float32), other, equal_nan=True))
