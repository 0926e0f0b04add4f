"""A .tflite file is read, checked and changed without TensorFlow; nothing of a damaged file is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.artifact.tflite import (
    TfliteModel,
    adapt,
    check_for_litert_js,
    obstacles,
    own_outputs,
    part,
    read_tflite,
    sign,
    stateful_operations,
)
from pycheck.artifact.tflite.points import tflite_graph
from pycheck.errors import ArtifactFileError

from .tflite_files import Step, Value, built, chain


def _told(model: TfliteModel) -> str:
    return "\n".join(obstacle.what for obstacle in obstacles(model))


def test_names_shapes_and_operations_are_read_without_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(chain().to_bytes())
    model = read_tflite(tmp_path / "m.tflite")
    assert [(port.name, model.tensors()[port.tensor].shape) for port in model.inputs] == [("x", (1, 4))]
    assert [port.name for port in model.outputs] == ["y"]
    assert [operation.op for operation in model.operations()] == ["ADD", "NEG", "NEG"]
    weight = model.constant(1)
    assert weight is not None and weight.tolist() == [[0, 1, 2, 3]]
    assert model.constant(0) is None
    assert list(obstacles(model)) == []


def test_without_a_signature_the_names_are_those_of_the_tensors() -> None:
    model = chain()
    model.root.signatureDefs = None
    again = TfliteModel.of(model.to_bytes())
    assert [port.name for port in (*again.inputs, *again.outputs)] == ["x", "y"]


def test_a_signature_names_inputs_and_outputs_by_position() -> None:
    tensors = [Value("a"), Value("b"), Value("c"), Value("d")]
    model = built(tensors, [Step("NEG", (0,), (2,)), Step("NEG", (1,), (3,))], [1, 0], [3, 2])
    sign(model, ["first", "second"], ["out 1", "out/2"], "run")
    again = TfliteModel.of(model.to_bytes())
    assert [(port.name, port.tensor) for port in again.inputs] == [("first", 1), ("second", 0)]
    assert [(port.name, port.tensor) for port in again.outputs] == [("out 1", 3), ("out/2", 2)]
    assert again.signature_keys == ("run",)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0\0\0\0TFL2" + bytes(40), b"PK\x03\x04" + bytes(60)])
def test_a_file_with_a_different_identifier_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactFileError, match="bytes 4 to 8"):
        TfliteModel.of(content, "m.tflite")


def test_a_file_that_is_cut_short_anywhere_is_refused() -> None:
    content = chain().to_bytes()
    end = len(content.rstrip(b"\0"))  # a file may lack the padding after its last byte
    for length in range(8, end):
        with pytest.raises(ArtifactFileError, match=r"m\.tflite is (damaged|not)"):
            TfliteModel.of(content[:length], "m.tflite")


def test_overwritten_bytes_end_in_an_error_or_in_a_model() -> None:
    content = chain().to_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for place in random.integers(8, len(content), 3):
            damaged[place] = random.integers(256)
        try:
            list(obstacles(TfliteModel.of(bytes(damaged))))
        except ArtifactFileError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda root: root.subgraphs[0].operators[1].inputs.__setitem__(0, 999), "operation 1 .* tensor 999"),
        (lambda root: root.subgraphs[0].operators[1].outputs.__setitem__(0, -1), "operation 1 .* tensor -1"),
        (lambda root: setattr(root.subgraphs[0].operators[2], "opcodeIndex", 7), "operation 2 .* operation code 7"),
        (lambda root: setattr(root.operatorCodes[0], "builtinCode", 999), "operation code 0 is 999"),
        (lambda root: setattr(root.subgraphs[0].tensors[1], "buffer", 5), "tensor 1 .w. .* buffer 5"),
        (lambda root: setattr(root.buffers[1], "data", np.zeros(12, np.uint8)), "12 bytes, .* needs 16"),
        (lambda root: root.subgraphs[0].outputs.__setitem__(0, 50), "outputs of subgraph 0 have tensor 50"),
        (lambda root: setattr(root.signatureDefs[0].inputs[0], "tensorIndex", 50), "'serving_default' has tensor 50"),
        (lambda root: setattr(root.signatureDefs[0], "subgraphIndex", 3), "'serving_default' is of subgraph 3"),
        (lambda root: setattr(root, "subgraphs", []), "no subgraph"),
    ],
)  # fmt: skip
def test_an_index_without_its_part_is_refused(change: object, told: str) -> None:
    model = chain()
    for vector in ("inputs", "outputs"):
        for holder in (model.root.subgraphs[0], *model.root.subgraphs[0].operators):
            setattr(holder, vector, np.array(getattr(holder, vector), np.int32))
    assert callable(change)
    change(model.root)
    with pytest.raises(ArtifactFileError, match=told):
        TfliteModel.of(model.to_bytes(), "m.tflite")


def test_custom_operations_are_named_with_their_place() -> None:
    assert "Erfc: LiteRT.js has no such operation, at b" in _told(chain(middle="Erfc"))
    assert "FlexErfc (an operation of TensorFlow)" in _told(chain(middle="FlexErfc"))


def test_variables_that_are_not_frozen_are_named() -> None:
    tensors = [Value("x"), Value("handle", "resource", ()), Value("read"), Value("y")]
    steps = [Step("VAR_HANDLE", (), (1,)), Step("READ_VARIABLE", (1,), (2,)), Step("ADD", (0, 2), (3,))]
    told = _told(built(tensors, steps, [0], [3]))
    assert "variables are not frozen" in told
    assert "READ_VARIABLE at read" in told


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "int8", "float64", "complex64"])
def test_types_that_litert_js_lacks_are_refused_at_the_border(dtype: str) -> None:
    assert f"the input x has type {dtype}" in _told(chain(dtype))


def test_texts_are_refused() -> None:
    assert "the input x has texts" in _told(chain("string"))


def test_free_dimensions_are_refused() -> None:
    model = built([Value("x", shape=(None, 4)), Value("y", shape=(None, 4))], [Step("NEG", (0,), (1,))], [0], [1])
    with pytest.raises(ArtifactFileError, match=r"the input x has the free shape \[None, 4\]") as error:
        check_for_litert_js(model, "m.tflite")
    assert "--format tflite" in error.value.advice


def test_an_output_that_is_an_input_or_an_earlier_output_gets_a_tensor_of_its_own() -> None:
    tensors = [Value("x"), Value("y")]
    model = built(tensors, [Step("NEG", (0,), (1,))], [0], [1, 0, 1])
    sign(model, ["x"], ["y", "echo", "twice"])
    told = _told(model)
    assert "the output echo is the input x" in told
    assert "the output twice is the same tensor as the output y" in told
    assert own_outputs(model) == (1, 2)
    again = TfliteModel.of(model.to_bytes())
    assert list(obstacles(again)) == []
    assert [port.name for port in again.outputs] == ["y", "echo", "twice"]
    assert [operation.op for operation in again.operations()] == ["NEG", "RESHAPE", "RESHAPE"]
    assert own_outputs(again) == ()


def test_the_border_gets_types_of_litert_js() -> None:
    tensors = [Value("i", "int64"), Value("h", "float16"), Value("b", "bool"), Value("y", "float16")]
    model = built(tensors, [Step("NOT_EQUAL", (0, 0), (2,)), Step("NEG", (1,), (3,))], [0, 1], [2, 3])
    adapt(model)
    again = TfliteModel.of(model.to_bytes())
    types = [again.tensors()[port.tensor].dtype for port in (*again.inputs, *again.outputs)]
    assert types == ["int32", "float32", "int32", "float32"]
    assert [port.name for port in (*again.inputs, *again.outputs)] == ["i", "h", "b", "y"]
    assert list(obstacles(again)) == []


def test_a_part_has_only_the_weights_and_tensors_that_it_needs() -> None:
    whole = chain()
    again = TfliteModel.of(part(whole, {0: "x", 2: "first"}, {4: "y"}).to_bytes())
    assert [port.name for port in (*again.inputs, *again.outputs)] == ["first", "y"]  # x is not read
    assert [tensor.name for tensor in again.tensors()] == ["a", "b", "y"]
    assert len(again.root.buffers) == 1
    assert [operation.op for operation in whole.operations()] == ["ADD", "NEG", "NEG"]  # unchanged
    assert [port.name for port in part(whole, {0: "x"}, {2: "first"}).inputs] == ["x"]  # not the weight
    with pytest.raises(ValueError, match="the input 0 is not given"):
        part(whole, {3: "second"}, {2: "first"})


def test_values_within_become_further_outputs() -> None:
    whole = part(chain(), {0: "x"}, {4: "y", 2: "first", 3: "second"})
    assert [port.name for port in TfliteModel.of(whole.to_bytes()).outputs] == ["y", "first", "second"]


def test_operations_that_keep_a_state_are_named() -> None:
    model = chain()
    assert stateful_operations(model) == ()
    model.root.subgraphs[0].tensors[2].isVariable = True
    assert stateful_operations(model) == ("NEG",)


def test_points_are_results_of_operations_by_their_first_node_and_the_layers_of_all() -> None:
    tensors = [
        Value("x"), Value("w", value=np.ones((1, 4), np.float16), dtype="float16"), Value("w/float"),
        Value("net/relu/Relu;net/norm/mul;net/conv/conv1"), Value("net/relu/Relu"), Value("unread"), Value("Identity"),
    ]  # fmt: skip
    steps = [
        Step("DEQUANTIZE", (1,), (2,)),
        Step("ADD", (0, 2), (3,)),
        Step("NEG", (3,), (4,)),
        Step("NEG", (3,), (5,)),
        Step("SOFTMAX", (4,), (6,)),
    ]
    model = built(tensors, steps, [0], [6])
    sign(model, ["x"], ["y"])
    graph = tflite_graph(model, ["conv", "norm", "relu", "y"])
    assert [(p.name, p.op, p.inputs, p.layer, p.merged) for p in graph.points] == [
        ("net/relu/Relu", "ADD", ("x",), "relu", ("conv", "norm")),
        ("net/relu/Relu#2", "NEG", ("net/relu/Relu",), "relu", ()),
        ("y", "SOFTMAX", ("net/relu/Relu#2",), "y", ()),
    ]
    assert graph.points[-1].activation == "softmax"
    assert graph.quantized == {"net/relu/Relu"} and graph.coarse == {}
    part = TfliteModel.of(graph.part(["net/relu/Relu"], ["y"]).to_bytes())
    assert [operation.op for operation in part.operations()] == ["NEG", "SOFTMAX"]
    assert [port.name for port in (*part.inputs, *part.outputs)] == ["net/relu/Relu", "y"]
