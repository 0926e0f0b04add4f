"""Restores lambdas that are arguments of a Keras 2 model's layers, such as an activation.

Keras wrote a lambda in one of three ways: only the name "<lambda>"; a list with its bytecode, which no version of
tf_keras reads (tf_keras/src/saving/serialization_lib.py, serialize_keras_object); or an object of the class
__lambda__, which is read if the file is trusted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ModelFileError

_NAME = "<lambda>"
_GIVEN = "pycheck_given_function"


def with_lambdas(path: str, config: Any, objects: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Give every lambda of a configuration a name, and return the objects with these names.

    A single function of `objects` that the configuration does not name stands for all of them. Otherwise the bytecode
    is loaded, which the caller has allowed. ModelFileError names the layer if there is neither.
    """
    known = dict(objects)
    text = json.dumps(config)
    given = {id(item): item for name, item in objects.items() if not isinstance(item, type) and f'"{name}"' not in text}
    if len(given) == 1:
        known[_GIVEN] = next(iter(given.values()))

    def name_for(where: str, code: list[Any] | None) -> str:
        if _GIVEN in known:
            return _GIVEN
        if code is None:
            raise ModelFileError(
                f"Cannot load {path}: {where} is a lambda, and the file does not have its code.",
                "Write the lambda as a function in a Python file, and add --custom-objects your_module:your_function",
            )
        name = f"pycheck_lambda_{len(known)}"
        known[name] = _loaded(path, where, code)
        return name

    return _replace(config, "the model", name_for), known


def is_bytecode(item: Any) -> bool:
    """Tell whether this stands for a function in a configuration, as its bytecode, defaults and closure."""
    if not (isinstance(item, dict) and set(item) == {"value"} and isinstance(item["value"], list)):
        return False
    return len(item["value"]) == 3 and isinstance(item["value"][0], str)


def _replace(item: Any, layer: str, name_for: Callable[[str, list[Any] | None], str]) -> Any:
    if isinstance(item, list):
        return [_replace(value, layer, name_for) for value in item]
    if not isinstance(item, dict):
        return item
    if isinstance(name := item.get("name"), str) and name != _NAME:
        layer = f"the layer {name!r}"
    replaced = {}
    for key, value in item.items():
        named = value.get("class_name") if isinstance(value, dict) else value
        if is_bytecode(value):
            replaced[key] = name_for(f"{key} of {layer}", value["value"])
        elif named == _NAME and key != "name":
            replaced[key] = name_for(f"{key} of {layer}", None)
        else:
            replaced[key] = _replace(value, layer, name_for)
    return replaced


def _loaded(path: str, where: str, code: list[Any]) -> Any:
    import tensorflow as tf
    from tf_keras.src.utils import generic_utils

    try:
        return generic_utils.func_load(code, globs={"tf": tf, "K": _backend()})
    except Exception as error:  # the bytecode of a different version of Python
        raise ModelFileError(
            f"Cannot load {path}: {where} is a lambda with bytecode of a different Python version ({error}).",
            "Write the lambda as a function in a Python file, and add --custom-objects your_module:your_function",
        ) from error


def _backend() -> Any:
    import tf_keras

    return tf_keras.backend
