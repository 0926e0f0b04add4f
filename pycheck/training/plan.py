"""Reads the data of a training, checks targets against the loss, and selects the samples of each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputsFileError
from ..inputs import Inputs, from_arrays
from ..inputs.files import open_columns
from ..types import Array, Signature, Tensors, TensorSpec
from .recipe import Recipe

_INTEGERS = "sparse_categorical_crossentropy"


@dataclass(frozen=True, slots=True)
class Plan:
    """All samples in memory, by the model's names. They are used in order, again and again, without shuffling."""

    inputs: Tensors
    targets: Tensors
    batch_size: int
    notes: tuple[str, ...] = ()

    @property
    def sample_count(self) -> int:
        """Count the samples."""
        return len(next(iter(self.inputs.values())))

    def rows(self, step: int) -> slice:
        """Return the samples of a step; the last batch of an epoch may be smaller, as in Keras."""
        start = step % -(-self.sample_count // self.batch_size) * self.batch_size
        return slice(start, min(start + self.batch_size, self.sample_count))

    def batch(self, step: int) -> tuple[Tensors, Tensors]:
        """Return inputs and targets of a step."""
        rows = self.rows(step)
        return (
            {name: value[rows] for name, value in self.inputs.items()},
            {name: value[rows] for name, value in self.targets.items()},
        )


def read_arrays(path: Path) -> Array | dict[str, Array]:
    """Read the array of a .npy, or those of a .npz or .safetensors by name. InputsFileError as for inputs."""
    columns = {column.name: column for column in open_columns(path)}
    empty = [name for name, column in columns.items() if not column.shape or 0 in column.shape]
    if empty:
        raise InputsFileError(
            f"{path} has no samples: {empty[0] or 'its array'} has no elements.", "Give at least one sample."
        )
    arrays = {name: np.concatenate(list(column.rows(1024))) for name, column in columns.items()}
    return arrays[""] if list(arrays) == [""] else arrays


def make_plan(inputs: Inputs, targets: object, signature: Signature, recipe: Recipe) -> Plan:
    """Read all data and check the targets against the loss. InputsFileError explains data that do not fit."""
    wanted = Signature(tuple(target_spec(spec, recipe) for spec in signature.outputs), ())
    given, notes = _shaped(targets, wanted)
    taken = _targets(given, wanted, recipe)
    if taken.sample_count != inputs.sample_count:
        raise InputsFileError(
            f"There are {inputs.sample_count} inputs, but {taken.sample_count} targets.",
            "Give one target for each sample.",
        )
    plan = Plan(_whole(inputs), _whole(taken), min(recipe.batch_size, inputs.sample_count), (*notes, *taken.info.notes))
    if recipe.loss.name == _INTEGERS:
        _check_classes(plan.targets, signature)
    return plan


def target_spec(output: TensorSpec, recipe: Recipe) -> TensorSpec:
    """Return the dtype and shape that the loss expects of the targets of an output."""
    if recipe.loss.name == _INTEGERS:
        return TensorSpec(output.name, "int32", (*output.shape[:-1], 1))
    return TensorSpec(output.name, "float32", output.shape)


def _targets(given: object, wanted: Signature, recipe: Recipe) -> Inputs:
    try:
        return from_arrays(given, wanted)
    except InputsFileError as error:
        shapes = ", ".join(f"{spec.name}: {spec.dtype} {_shape(spec)}" for spec in wanted.inputs)
        message = error.message.replace("Input ", "Target ").replace("the model takes", f"{recipe.loss} takes")
        raise InputsFileError(f"The targets do not fit the loss. {message}", f"It takes {shapes}.") from error


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join('samples' if i == 0 else str(size) for i, size in enumerate(spec.shape))})"


def _shaped(targets: object, wanted: Signature) -> tuple[object, tuple[str, ...]]:
    """Add a last axis of 1 to targets without it, as Keras does; TF.js rejects such targets."""
    if len(wanted.inputs) != 1:
        return targets, ()
    if isinstance(targets, Mapping):
        if len(targets) != 1:
            return targets, ()
        (targets,) = targets.values()
    (spec,) = wanted.inputs
    array = np.asarray(targets)
    if array.dtype == np.float64 and spec.dtype == "int32" and np.array_equal(array, np.floor(array)):
        array = array.astype(np.int64)
    if array.dtype == np.float32 and spec.dtype == "int32" and np.array_equal(array, np.floor(array)):
        array = array.astype(np.int32)
    if spec.shape[-1] == 1 and array.ndim == len(spec.shape) - 1:
        return array[..., np.newaxis], (f"targets: pycheck added an axis of size 1 to {list(array.shape)}",)
    return array, ()


def _check_classes(targets: Tensors, signature: Signature) -> None:
    for spec in signature.outputs:
        classes, values = spec.shape[-1], targets[spec.name]
        if classes is not None and (values.min() < 0 or values.max() >= classes):
            wrong = int(values[(values < 0) | (values >= classes)].flat[0])
            raise InputsFileError(
                f"The target {wrong} is not a class: the output {spec.name!r} has {classes}, 0 to {classes - 1}.",
                "Number the classes from 0.",
            )


def _whole(inputs: Inputs) -> dict[str, Array]:
    batches = [batch.tensors for batch in inputs.batches(1024)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
