"""Chooses the signature of a SavedModel to run, or a function if it was exported without signatures."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ModelFileError

#: The names of signatures: those of tf.saved_model.save and Keras, then those of TensorFlow 1 and TensorFlow Hub.
_DEFAULTS = ("serving_default", "default")
#: The functions that run a whole object, first the one that Keras's export writes.
_WHOLE = ("serve", "__call__")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A function of flat tensors: `names` and `specs` (tf.TensorSpec) of its arguments, and a note or "".

    `traced` does the same and can be traced, if the function itself keeps its variables in its graph.
    """

    names: tuple[str, ...]
    specs: tuple[Any, ...]
    call: Callable[[Sequence[Any]], Any]
    note: str = ""
    traced: Callable[[Sequence[Any]], Any] | None = None


def choose_endpoint(path: str, loaded: Any, name: str | None) -> Endpoint:
    """Choose the signature `name`, or the only or usual one of a loaded SavedModel.

    Without signatures, a function of that name, or the only or usual one, is used. ModelFileError lists the choices if
    none can be chosen.
    """
    signatures, functions = dict(loaded.signatures), _functions(loaded)
    if name is not None:
        if name in signatures:
            return _of_signature(signatures[name])
        if name in functions:
            return _of_function(path, name, functions[name])
        raise _unknown(path, name, signatures or functions, "signature" if signatures else "function")
    if usual := next((known for known in _DEFAULTS if known in signatures), None):
        return _of_signature(signatures[usual])
    if len(signatures) == 1:
        return _of_signature(next(iter(signatures.values())))
    if signatures:
        raise _several(path, tuple(sorted(signatures)), "signatures, and none is called serving_default")
    if usual := next((known for known in _WHOLE if known in functions), None):
        return _of_function(path, usual, functions[usual])
    if len(functions) == 1:
        return _of_function(path, *next(iter(functions.items())))
    if functions:
        raise _several(path, tuple(functions), "functions, and no signature")
    raise ModelFileError(
        f"{path} has no serving signature and no traced function, so its inputs are unknown.",
        "Export it with a signature: model.export(folder), or tf.saved_model.save(model, folder, signatures=...)",
    )


def _several(path: str, names: Sequence[str], what: str) -> ModelFileError:
    return ModelFileError(
        f"{path} has several {what}: {', '.join(names)}.",
        f"Add one of: {', '.join(f'--signature {name}' for name in names)}",
    )


def _unknown(path: str, name: str, known: Mapping[str, Any], kind: str) -> ModelFileError:
    by_lower_case = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, 1, 0.5)
    return ModelFileError(
        f"{path} has no {kind} {name!r}. It has {', '.join(sorted(known)) or 'none'}.",
        f"Did you mean --signature {by_lower_case[near[0]]}?" if near else "",
    )


def _of_signature(function: Any) -> Endpoint:
    keywords: dict[str, Any] = function.structured_input_signature[1]
    names = tuple(keywords)
    return Endpoint(
        names=names,
        specs=tuple(keywords[name] for name in names),
        call=lambda flat: function(**dict(zip(names, flat, strict=True))),
        traced=_frozen(function, names) if _keeps_variables(function) else None,
    )


def _keeps_variables(function: Any) -> bool:
    """Tell whether its graph holds the variables of TensorFlow 1 themselves, as in exports of estimators."""
    return any(operation.type in ("Variable", "VariableV2") for operation in function.graph.get_operations())


def _frozen(function: Any, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """Freeze a signature; TensorFlow finds its variables only in the graph of the signature itself.

    TensorFlow sorts the inputs of such a signature by their names.
    """
    import tensorflow as tf

    from ..graphdef.internals import convert_to_constants

    frozen = convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
    order = sorted(range(len(names)), key=lambda index: names[index])

    def call(flat: Sequence[Any]) -> Any:
        return tf.nest.pack_sequence_as(function.structured_outputs, frozen(*(flat[index] for index in order)))

    return call


def _functions(loaded: Any) -> dict[str, Any]:
    """Return the tf.functions of a loaded object that have been traced, by name."""
    found = {}
    for name, value in vars(loaded).items():
        if name != "signatures" and getattr(value, "concrete_functions", None):
            found[name] = value
    return dict(sorted(found.items()))


def _of_function(path: str, name: str, function: Any) -> Endpoint:
    """Choose the most general trace of a function that takes only tensors, and flags that are off."""
    import tensorflow as tf

    usable = [traced for traced in map(_inference, function.concrete_functions) if traced is not None]
    if not usable:
        raise ModelFileError(
            f"{path} has no signature, and its function {name!r} takes values that are not tensors.",
            "Export it with a signature: tf.saved_model.save(model, folder, signatures=...)",
        )
    structure, specs = max(usable, key=lambda item: _free_sizes(item[1]))
    args, kwargs = structure
    flat = tf.nest.flatten((args, kwargs))

    def call(tensors: Sequence[Any]) -> Any:
        given = iter(tensors)
        filled = [next(given) if isinstance(item, tf.TensorSpec) else item for item in flat]
        positional, keywords = tf.nest.pack_sequence_as((args, kwargs), filled)
        return function(*positional, **keywords)

    names = tuple(spec.name or f"input_{index + 1}" for index, spec in enumerate(specs))
    return Endpoint(names, specs, call, f"{path} has no signature: pycheck runs its function {name}")


def _inference(concrete: Any) -> tuple[Any, tuple[Any, ...]] | None:
    """Return the arguments of a trace and the tensors among them; None for a trace of training, or of other values."""
    import tensorflow as tf

    structure = concrete.structured_input_signature
    specs = []
    for item in tf.nest.flatten(structure):
        if isinstance(item, tf.TensorSpec):
            specs.append(item)
        elif item is not None and item is not False:
            return None
    return structure, tuple(specs)


def _free_sizes(specs: Sequence[Any]) -> int:
    return sum(1000 if spec.shape.rank is None else list(spec.shape).count(None) for spec in specs)


def serving_tags(tag_sets: Sequence[frozenset[str]]) -> list[str] | None:
    """Choose the graph of a SavedModel to load, by its tags: the one for serving; None if it has only one."""
    if len(tag_sets) < 2:
        return None
    serving = [tags for tags in tag_sets if "serve" in tags and "train" not in tags]
    chosen = min(serving or tag_sets, key=lambda tags: (len(tags), sorted(tags)))
    return sorted(chosen)
