"""What pycheck relies on of TensorFlow's private modules, one behaviour each.

A TensorFlow of which one of these is not true needs another pycheck.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.model.tensorflow_import import import_tensorflow

pytestmark = pytest.mark.real

tf: Any = import_tensorflow()
internals: Any = importlib.import_module("pycheck.graphdef.internals")


def test_the_registry_of_operations_knows_arguments_attributes_and_what_is_none() -> None:
    convolution = internals.op_def_registry.get("Conv2D")
    assert [argument.name for argument in convolution.input_arg] == ["input", "filter"]
    assert {"T", "strides", "padding"} <= {attribute.name for attribute in convolution.attr}
    assert internals.op_def_registry.get("NoSuchOperation") is None


def test_the_registry_of_kernels_says_device_and_types() -> None:
    found = internals.kernels.get_registered_kernels_for_op("Erf").kernel
    types = {
        kind
        for kernel in found
        if kernel.device_type == "CPU"
        for constraint in kernel.constraint
        for kind in constraint.allowed_values.list.type
    }
    assert {internals.types_pb2.DT_FLOAT, internals.types_pb2.DT_DOUBLE} <= types


@pytest.mark.parametrize("operation", ["Conv2D", "Conv2DBackpropInput"])
def test_the_registry_of_gradients_keeps_the_function_of_an_operation_as_its_type(operation: str) -> None:
    entry = internals.gradient_registry._registry[operation]
    assert callable(entry["type"]) and internals.gradient_registry.lookup(operation) is entry["type"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool", "complex64"])
def test_tensors_go_into_protocol_buffers_and_back(dtype: str) -> None:
    value = np.array([[0, 1], [1, 0]], dtype)
    proto = internals.tensor_util.make_tensor_proto(value)
    back = internals.tensor_util.MakeNdarray(proto)
    assert (back.dtype, back.tolist()) == (value.dtype, value.tolist())


def _function() -> Any:
    weight = tf.Variable([[1.0], [2.0]], name="weight")

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def function(x: Any) -> Any:
        return tf.matmul(x, weight) * (2.0 + 3.0)

    return function.get_concrete_function(), weight


def test_variables_become_constants_and_control_flow_stays() -> None:
    function, _weight = _function()
    frozen = internals.convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
    operations = {node.op for node in frozen.graph.as_graph_def().node}
    assert "Const" in operations and not operations & {"ReadVariableOp", "VarHandleOp"}


def test_freezing_has_the_two_halves_that_save_memory() -> None:
    """Without them pycheck freezes through the function above, which holds large weights ten times."""
    assert hasattr(internals.convert_to_constants, "_FunctionConverterDataInEager")
    assert hasattr(internals.convert_to_constants, "_replace_variables_by_constants")


def test_the_optimizer_folds_constants_for_a_device_that_is_only_described() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        tf.add(x, tf.constant(2.0) * tf.constant(3.0), name="y")
    meta_graph = internals.meta_graph_pb2.MetaGraphDef(graph_def=graph.as_graph_def())
    meta_graph.collection_def["train_op"].node_list.value.append("y")
    config = internals.config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers[:] = ["constfold", "pruning"]
    config.graph_options.rewrite_options.min_graph_nodes = -1
    device = internals.device_properties_pb2.NamedDevice(name="/GPU:0")
    device.properties.type = "GPU"
    device.properties.environment["architecture"] = "4"
    cluster = internals.cluster.Cluster(devices=[device])
    optimized = internals.tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster)
    assert {node.op for node in optimized.node} - {"Const", "Placeholder", "AddV2"} == set()


def test_the_shapes_of_a_graph_are_inferred_without_running_it() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.get_variable("x", [3, 4])
        tf.reshape(tf.concat([x, x], 0), [-1, 2], name="y")
    meta_graph = internals.meta_graph_pb2.MetaGraphDef(graph_def=graph.as_graph_def())
    meta_graph.collection_def["train_op"].node_list.value.append("y")
    (found,) = internals.grappler_item.Item(meta_graph).GetOpProperties()["y"]
    assert [size.size for size in found.shape.dim] == [12, 2]


def _library() -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def outer(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x)

    return outer.get_concrete_function().graph.as_graph_def().library.function


def test_a_function_definition_becomes_a_graph() -> None:
    definition = next(iter(_library()))
    with tf.Graph().as_default():
        graph, tensors = internals.function_def_to_graph_def(definition)
        body = internals.function_def_to_graph(definition)
    assert {node.name for node in graph.node} >= {argument.name for argument in definition.signature.input_arg}
    assert {definition.ret[argument.name] for argument in definition.signature.output_arg} <= set(tensors)
    assert len(body.inputs) == len(definition.signature.input_arg)


def test_a_run_can_be_cancelled() -> None:
    function, _weight = _function()
    manager = internals.cancellation.CancellationManager()
    cancelable = manager.get_cancelable_function(function)
    assert np.asarray(cancelable(tf.ones([1, 2]))).tolist() == [[15.0]]
    manager.start_cancel()
    assert manager.is_cancelled
    with pytest.raises(tf.errors.CancelledError):
        cancelable(tf.ones([1, 2]))


def test_a_structure_is_flattened_with_its_paths() -> None:
    structure = {"b": [1, 2], "a": {"c": 3}}
    paths = internals.nest.flatten_with_joined_string_paths(structure, separator="_")
    assert paths == [("a_c", 3), ("b_0", 1), ("b_1", 2)]


@pytest.mark.parametrize(
    "name",
    [
        "attr_value_pb2.AttrValue",
        "function_pb2.FunctionDef",
        "graph_pb2.GraphDef",
        "node_def_pb2.NodeDef",
        "op_def_pb2.OpDef",
        "saved_model_pb2.SavedModel",
    ],
)
def test_messages_of_graphs_can_be_written_and_read(name: str) -> None:
    module, kind = name.split(".")
    message = getattr(getattr(internals, module), kind)()
    assert type(message).FromString(message.SerializeToString()) == message


def test_no_other_module_imports_them() -> None:
    private = re.compile(r"^\s*(?:from|import) tensorflow\.(?:core|python)\b", re.MULTILINE)
    package = Path(internals.__file__).parents[1]
    files = [file for file in package.rglob("*.py") if private.search(file.read_text(encoding="utf-8"))]
    assert [file.relative_to(package).as_posix() for file in files] == ["graphdef/internals.py"]


def test_a_tensorflow_without_one_of_them_is_named_with_the_version_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pycheck.errors import InstallationError
    from pycheck.system import installed

    monkeypatch.setattr(installed, "find", lambda _: installed.Package("tensorflow", "2.40.0"))
    monkeypatch.setitem(sys.modules, "tensorflow.python.grappler", None)
    spec = importlib.util.spec_from_file_location("pycheck.graphdef.another_internals", internals.__file__)
    assert spec and spec.loader
    with pytest.raises(InstallationError, match=r"2\.40\.0 .*\.grappler .*\n.*\"tensorflow==2\.21\.\*\""):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
