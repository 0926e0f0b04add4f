"""Rejects models whose loading would run code of their author, before they are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import ModelFileError
from .kind import ModelSource
from .lambdas import is_bytecode

#: tf_keras turns a TFOpLambda layer's `function` into the TensorFlow symbol of that name and calls it.
_NAMESPACES_WITH_EFFECTS = ("io.", "raw_ops.", "saved_model.", "train.", "data.", "summary.", "compat.", "debugging.")
_FUNCTIONS_THAT_CALL_PYTHON = frozenset({"py_function", "numpy_function", "function", "map_fn", "load_op_library"})

#: Graph operations that read or write files, or call Python, except those with which TensorFlow restores variables.
_GRAPH_OPS_WITH_EFFECTS = frozenset(
    {
        "EagerPyFunc",
        "FixedLengthRecordDatasetV2",
        "FixedLengthRecordReaderV2",
        "LoadDataset",
        "MatchingFiles",
        "PyFunc",
        "PyFuncStateless",
        "ReadFile",
        "RpcCall",
        "SaveDatasetV2",
        "TFRecordDatasetV2",
        "TFRecordReaderV2",
        "TextLineDataset",
        "TextLineReaderV2",
        "WholeFileReaderV2",
        "WriteFile",
        "WriteSummary",
    }
)


def check_keras_config(source: ModelSource, config: dict[str, Any]) -> None:
    """Raise ModelFileError for the first layer of `config` with Python code or a TensorFlow function by name."""
    for layer, what in _code_in(config, layer="the model"):
        raise ModelFileError(
            f"{source.path}: {layer} {what}, which would run code from the file.",
            "If you trust the source of the file, add --trust-model",
        )


def foreign_classes(config: Any) -> Iterator[tuple[str, str]]:
    """Yield (class name, registered name) for classes from outside of Keras; old HDF5 files name no module."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module")
        if isinstance(name, str) and "module" in config and not _is_of_keras(module):
            yield name, str(config.get("registered_name") or name)
    for item in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from foreign_classes(item)


def _is_of_keras(module: object) -> bool:
    """Tell whether a module is part of Keras, except its tools, some of which download or unpack files."""
    parts = str(module).split(".")
    return parts[0] == "builtins" or (parts[0] in ("keras", "tf_keras") and not {"utils", "saving"} & set(parts))


def check_saved_model(source: ModelSource, trust: bool = False) -> tuple[frozenset[str], ...]:
    """Return the tags of each graph in a SavedModel; none if its file is text.

    ModelFileError naming a graph operation that reads or writes files or calls Python, unless the model is trusted.
    """
    from ..graphdef.internals import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    file = source.path / "saved_model.pb"
    if not file.is_file():
        return ()  # TensorFlow parses a saved_model.pbtxt
    try:
        proto.ParseFromString(file.read_bytes())
    except Exception as error:
        raise ModelFileError(
            f"Cannot read {file}: it is damaged, or not a SavedModel.", "Copy or export the model again."
        ) from error
    for meta_graph in () if trust else proto.meta_graphs:
        graph = meta_graph.graph_def
        bodies = [("the graph", graph.node), *((f.signature.name, f.node_def) for f in graph.library.function)]
        for where, nodes in bodies:
            for node in nodes:
                if node.op in _GRAPH_OPS_WITH_EFFECTS:
                    raise ModelFileError(
                        f"{source.path}: the operation {node.name} ({node.op}, in {where}) reads or writes files, "
                        "or calls Python.",
                        "If you trust the source of the model, add --trust-model",
                    )
    return tuple(frozenset(graph.meta_info_def.tags) for graph in proto.meta_graphs)


def _code_in(item: Any, layer: str) -> Iterator[tuple[str, str]]:
    """Yield (layer, kind of code) for every place in a configuration with code."""
    if isinstance(item, list):
        for value in item:
            yield from _code_in(value, layer)
        return
    if not isinstance(item, dict):
        return
    class_name, config = item.get("class_name"), item.get("config")
    if isinstance(config, dict) and isinstance(config.get("name"), str):
        layer = f"the layer {config['name']!r}"
    if isinstance(class_name, str):
        kind = class_name.rpartition(">")[2]
        if kind == "Lambda":
            yield layer, "is a Lambda"
        elif kind == "__lambda__":
            yield layer, "holds a pickled Python function"
        elif kind == "TFOpLambda" and isinstance(config, dict) and _has_effects(config.get("function")):
            yield layer, f"calls tf.{config.get('function')}"
    if item.get("function_type") == "lambda" or is_bytecode(item):
        yield layer, "holds a pickled Python function"
    for value in item.values():
        yield from _code_in(value, layer)


def _has_effects(symbol: object) -> bool:
    return (
        not isinstance(symbol, str)
        or symbol.startswith(_NAMESPACES_WITH_EFFECTS)
        or not _FUNCTIONS_THAT_CALL_PYTHON.isdisjoint(symbol.split("."))
    )
