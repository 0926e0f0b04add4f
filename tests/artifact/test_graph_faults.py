"""What TF.js lacks or computes wrongly of graphs that the published converter wrote, held against TF.js itself."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.graph.faults import graph_faults
from pycheck.artifact.kernel_faults import FAULTS, WITHOUT_KERNEL
from pycheck.artifact.weights import decode_weights
from pycheck.conversion.graph.kernel_repairs import KERNEL_REPAIRS
from pycheck.conversion.graph.repairs import REPAIRS
from pycheck.types import ArtifactFault

from ..published import import_tensorflowjs
from ..remedies.bare_page import bare_page, run, started

pytestmark = pytest.mark.real

_X = np.array([[0.4, -0.5, 0.0, 256.0], [-3.0, -1.0, -2.0, 2.0]], np.float32)
_IMAGE = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


def _functions() -> dict[str, Any]:
    """By output: one operation that a backend computes wrongly, and some that are right."""
    import tensorflow as tf

    kernel = tf.constant(np.random.default_rng(1).normal(size=(3, 1, 3, 2)).astype(np.float32))

    def ids(x: Any) -> Any:
        return tf.cast(tf.round(x), tf.int32)

    return {
        "cast_float": lambda x, _: tf.cast(tf.cast(x, tf.bool), tf.int32),
        "cast_int": lambda x, _: tf.cast(tf.cast(ids(x), tf.bool), tf.int32),
        "select_bool": lambda x, _: tf.cast(tf.where(x > 0, x > 1, x < -2), tf.int32),
        "reverse_bool": lambda x, _: tf.cast(tf.reverse(x > 0, [1]), tf.int32),
        "gather_batched": lambda x, _: tf.gather(tf.transpose(x), [[1], [0], [1], [0]], axis=1, batch_dims=1),
        "max_pool_3d": lambda _, i: tf.nn.max_pool3d(-tf.abs(i)[..., None], 2, 2, "SAME"),
        "one_hot": lambda _, i: tf.one_hot(tf.argmax(i[:, 0, :, 0], -1), 8),
        "cumsum": lambda x, _: tf.cumsum(x, axis=-1),
        "mean_int": lambda x, _: tf.reduce_mean(ids(x) * 3, axis=0),
        "band": lambda _, i: tf.linalg.band_part(i[..., 0], 0, -1),
        "conv": lambda _, i: tf.nn.conv2d(i, kernel, 2, "SAME"),
        "depthwise": lambda _, i: tf.nn.depthwise_conv2d(i, kernel, [1, 2, 2, 1], "SAME"),
        "right_conv": lambda _, i: tf.nn.conv2d(i, kernel, 1, "SAME"),
        "right_cast": lambda x, _: tf.cast(ids(x), tf.float32) + tf.cast(x > 0, tf.float32),
        "right_slice": lambda x, _: x[:, ::2],
    }


def _outputs() -> dict[str, str]:
    """The node of each output: the converter numbers them in the order of their names."""
    return {name: f"Identity_{i}" if i else "Identity" for i, name in enumerate(sorted(_functions()))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tensorflow as tf

    import_tensorflowjs()
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    functions = _functions()
    module = tf.Module()
    specs = [tf.TensorSpec([2, 4], tf.float32, name="x"), tf.TensorSpec([2, 8, 8, 3], tf.float32, name="image")]
    module.f = tf.function(
        lambda x, image: {name: tf.identity(f(x, image), name=name) for name, f in functions.items()},
        input_signature=specs,
    )
    place = tmp_path_factory.mktemp("faulty")
    tf.saved_model.save(module, str(place / "saved"), signatures=module.f)
    tf_saved_model_conversion_v2.convert_tf_saved_model(str(place / "saved"), str(place / "web"))
    return place / "web"


@pytest.fixture(scope="module")
def faults(folder: Path) -> tuple[ArtifactFault, ...]:
    document = read_document(folder)
    return graph_faults(document, decode_weights(document))


def _groups() -> list[list[str]]:
    """Outputs by page: those of truth values on their own, since wasm writes beyond them, where others read."""
    alone = [name for name in _functions() if name.startswith(("cast_", "select_", "reverse_"))]
    return [[name for name in _functions() if name not in alone], *([name] for name in alone)]


_PREDICT = """
const model = await tf.loadGraphModel('/model/model.json');
const y = model.execute({x: tf.tensor2d(given.x), image: tf.tensor4d(given.image)}, given.output);
return [y.shape, [...await y.data()].map(Number)];
"""


@pytest.fixture(scope="module")
def given(folder: Path) -> Iterator[dict[str, set[str]]]:
    """By backend, the outputs that TF.js gets wrong."""
    import tensorflow as tf
    from playwright.sync_api import Error

    expected = {name: np.asarray(f(tf.constant(_X), tf.constant(_IMAGE))) for name, f in _functions().items()}
    feeds = {"x": _X.tolist(), "image": _IMAGE.tolist()}
    wrong: dict[str, set[str]] = {"cpu": set(), "wasm": set()}
    with started() as browser:
        for backend, names in product(wrong, _groups()):
            page = bare_page(browser, folder)
            page.evaluate("(name) => tf.setBackend(name)", backend)
            for name in names:
                try:
                    shape, values = run(page, _PREDICT, {**feeds, "output": _outputs()[name]})
                except Error:
                    wrong[backend].add(name)
                    continue
                got = np.array(values, np.float32)
                if list(expected[name].shape) != shape or not np.allclose(
                    got.reshape(shape), expected[name], atol=1e-5
                ):
                    wrong[backend].add(name)
            page.close()
    yield wrong


def _concerned(faults: tuple[ArtifactFault, ...], folder: Path, backend: str) -> set[str]:
    """The outputs that need an operation which is said to be wrong on a backend."""
    nodes = {node["name"]: node for node in json.loads((folder / "model.json").read_text())["modelTopology"]["node"]}
    wrong = {fault.name for fault in faults if not fault.backends or backend in fault.backends}
    found = set()
    for key, output in _outputs().items():
        pending, seen = [output], set()
        while pending:
            name = pending.pop()
            seen.add(name)
            pending += [ref.partition(":")[0] for ref in nodes[name].get("input", ())]
        if seen & wrong:
            found.add(key)
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_what_is_said_to_be_wrong_is_wrong_and_nothing_else(
    folder: Path, faults: tuple[ArtifactFault, ...], given: dict[str, set[str]], backend: str
) -> None:
    assert _concerned(faults, folder, backend) == given[backend]


def test_each_is_named_with_its_cure(faults: tuple[ArtifactFault, ...]) -> None:
    casts = [fault for fault in faults if fault.op == "Cast" and fault.backends == ("wasm",)]
    assert len(casts) == 2
    assert all("0.4 and 256 become false" in fault.fault and "x != 0" in fault.cure for fault in casts)
    assert all("--cpu-kernel Cast" in fault.cure for fault in casts)


def _node(name: str, op: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def _of(tmp_path: Path, *nodes: dict[str, Any]) -> tuple[ArtifactFault, ...]:
    topology = {"node": [_node("x", "Placeholder"), *nodes]}
    document = {"format": "graph-model", "modelTopology": topology, "weightsManifest": []}
    (tmp_path / "model.json").write_text(json.dumps(document))
    return graph_faults(read_document(tmp_path), {})


def test_an_operation_that_tfjs_lacks_and_kernels_that_backends_lack_are_named(tmp_path: Path) -> None:
    nodes = [_node("a", "SpecialSauce", "x"), _node("b", "Einsum", "x"), _node("c", "UniqueV2", "x")]
    sauce, einsum, unique = _of(tmp_path, *nodes)
    assert (sauce.fault, sauce.backends) == ("TF.js has no operation SpecialSauce", ())
    assert einsum.fault == "TF.js's wasm backend has no kernel for Einsum"
    assert unique.backends == ("webgpu",)


@pytest.mark.parametrize(
    ("operations", "cure"),
    [
        (["Einsum"], "Use another backend for this model, or run this kernel on the CPU."),
        (["Einsum", "StaticRegexReplace"], "Use another backend for this model, or run these kernels on the CPU."),
        (["Einsum", "RFFT"], "Use another backend for this model."),
        (["RFFT", "Real", "Imag"], "Use another backend for this model."),
    ],
)
def test_all_kernels_that_a_backend_lacks_have_the_one_cure_that_helps_with_each(
    tmp_path: Path, operations: list[str], cure: str
) -> None:
    found = _of(tmp_path, *(_node(f"n{number}", op, "x") for number, op in enumerate(operations)))
    assert {fault.cure for fault in found if fault.backends == ("wasm",)} == {cure}


@pytest.mark.parametrize("written", [{"type": "DT_BOOL"}, {"type": 10}])
def test_types_are_read_as_names_and_as_numbers(tmp_path: Path, written: dict[str, Any]) -> None:
    (fault,) = _of(tmp_path, _node("c", "Cast", "x", SrcT={"type": "DT_FLOAT"}, DstT=written))
    assert fault.backends == ("wasm",)


def test_a_node_within_a_function_is_looked_at_too(tmp_path: Path) -> None:
    cast = {"name": "c", "op": "Cast", "attr": {"SrcT": {"type": "DT_INT32"}, "DstT": {"type": "DT_BOOL"}}}
    function = {"signature": {"name": "body"}, "nodeDef": [cast]}
    topology = {"node": [_node("x", "Placeholder"), _node("y", "Neg", "x")], "library": {"function": [function]}}
    (tmp_path / "model.json").write_text(
        json.dumps({"format": "graph-model", "modelTopology": topology, "weightsManifest": []})
    )
    (fault,) = graph_faults(read_document(tmp_path), {})
    assert (fault.name, fault.op) == ("c", "Cast")


def test_the_converter_rewrites_what_the_knowledge_says_can_be_written_otherwise() -> None:
    known = {fault.op for fault in FAULTS if fault.rewritten}
    rewritten = set(KERNEL_REPAIRS) | set(REPAIRS)
    by_sizes = {"BatchMatMulV2", "Conv2D", "DepthwiseConv2dNative"}  # which only a conversion knows
    assert rewritten - by_sizes <= known
    assert known - rewritten == {"FakeQuantWithMinMaxVars", "Mod"}  # among the operations that TF.js lacks
    assert all(WITHOUT_KERNEL.values())


@pytest.mark.parametrize(
    ("op", "backend", "cpu_helps"),
    [
        *((op, "wasm", False) for op in ("Complex", "ComplexAbs", "IFFT", "IRFFT", "Imag", "RFFT", "Real")),
        ("Einsum", "wasm", True),
        ("BitwiseAnd", "webgpu", False),
    ],
)
def test_the_cpu_is_advised_for_a_missing_kernel_that_it_can_run(
    tmp_path: Path, op: str, backend: str, cpu_helps: bool
) -> None:
    topology = {"node": [_node("x", "Placeholder"), _node("y", op, "x")]}
    content = {"format": "graph-model", "modelTopology": topology, "weightsManifest": []}
    (tmp_path / "model.json").write_text(json.dumps(content))
    (told,) = [f for f in graph_faults(read_document(tmp_path), {}) if backend in f.backends and not f.broken]
    assert told.cure.startswith("Use another backend for this model")
    assert ("run this kernel on the CPU" in told.cure) is cpu_helps


def _shape(*sizes: int) -> dict[str, Any]:
    return {"shape": {"shape": {"dim": [{"size": str(size)} for size in sizes]}}}


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative", "_FusedConv2D"])
@pytest.mark.parametrize(
    ("shapes", "is_fixed"),
    [
        ([_shape(-1, 9, 10, 4)], True),
        ([_shape(2, 9, 10, 4), _shape(-1, 3)], True),
        ([_shape(-1, -1, 10, 4)], False),
        ([_shape(-1, 9, 10, 4), _shape(-1, -1)], False),
        ([{"shape": {"shape": {"unknownRank": True}}}], False),
        ([{}], False),
    ],
)
def test_fixed_sizes_are_advised_only_where_a_size_is_free(
    tmp_path: Path, op: str, shapes: list[dict[str, Any]], is_fixed: bool
) -> None:
    """A conversion writes the padding out where it knows the sizes."""
    steps = {"list": {"i": ["1", "2", "2", "1"]}}
    padding = {"s": base64.b64encode(b"SAME").decode()}
    inputs = [_node(f"x{number}", "Placeholder", **shape) for number, shape in enumerate(shapes)]
    nodes = [*inputs, _node("w", "Identity", "x0"), _node("y", op, "x0", "w", strides=steps, padding=padding)]
    content = {"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": []}
    (tmp_path / "model.json").write_text(json.dumps(content))
    (found,) = graph_faults(read_document(tmp_path), {"w": np.ones((3, 1, 4, 1), np.float32)})
    assert found.cure.startswith("Convert the model with" if is_fixed else "Give the model inputs of fixed sizes")
    assert found.cure.endswith("Or use another backend for this model, or run this kernel on the CPU.")


_TEXT_JS = """
const [packages, op, backend] = process.argv.slice(1);
const load = (name) => require(`${packages}/@tensorflow/${name}`);
const tf = load('tfjs-core');
load('tfjs-backend-cpu');
load('tfjs-backend-wasm').setWasmPaths(`${packages}/@tensorflow/tfjs-backend-wasm/dist/`);
const [x, y, at] = [['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'y'], [[1], [3]]];
const runs = {
  Equal: () => tf.equal(tf.tensor(x), tf.tensor(y)),
  NotEqual: () => tf.notEqual(tf.tensor(x), tf.tensor(y)),
  GatherNd: () => tf.gatherND(tf.tensor(x), tf.tensor2d(at, [2, 1], 'int32')),
  Tile: () => tf.tile(tf.tensor(x), [2]),
  Fill: () => tf.fill([2], 'a'),
  StridedSlice: () => tf.stridedSlice(tf.tensor(x), [0], [4], [2]),
  GatherV2: () => tf.gather(tf.tensor(x), tf.tensor1d([1], 'int32')),
  SelectV2: () => tf.where(tf.tensor1d([1, 0, 1, 0], 'bool'), tf.tensor(x), tf.tensor(y)),
  Transpose: () => tf.transpose(tf.tensor([x, y])),
  PadV2: () => tf.pad(tf.tensor(x), [[1, 0]], ''),
  Concat: () => tf.concat([tf.tensor(x), tf.tensor(y)]),
  Slice: () => tf.slice(tf.tensor(x), [1], [2]),
};
const log = console.log;
console.log = console.warn = console.error = () => {};
tf.setBackend(backend)
  .then(() => runs[op]().data())
  .then((data) => log(JSON.stringify(Array.from(data))))
  .catch((error) => log(JSON.stringify(`error: ${error.message}`)))
  .finally(() => process.exit(0));
"""


def _of_text(op: str, backend: str) -> Any:
    """What TF.js answers for texts, run alone: a kernel that aborts takes the whole backend with it."""
    packages = Path(__file__).parents[2] / "node_modules"
    ran = subprocess.run(
        ["node", "-e", _TEXT_JS, str(packages), op, backend], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(ran.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize(
    ("op", "right", "key", "more"),
    [
        ("Equal", [1, 0, 1, 0], "T", {}),
        ("NotEqual", [0, 1, 0, 1], "T", {}),
        ("GatherNd", ["b", "d"], "Tparams", {}),
        ("Tile", [*"abcdabcd"], "T", {}),
        ("Fill", ["a", "a"], "T", {}),
    ],
)
def test_the_kernels_of_wasm_that_take_no_text_are_named(
    tmp_path: Path, op: str, right: list[Any], key: str, more: dict[str, Any]
) -> None:
    assert _of_text(op, "cpu") == right
    assert _of_text(op, "wasm") != right
    (told,) = _of(tmp_path, _node("n", op, "x", **{key: {"type": "DT_STRING"}}, **more))
    assert (
        told.backends == ("wasm",)
        and "does not support text" in told.fault
        and told.cure.startswith("Use another backend")
    )
    assert _of(tmp_path, _node("n", op, "x", **{key: {"type": "DT_FLOAT"}}, **more)) == ()


@pytest.mark.parametrize("op", ["GatherV2", "SelectV2", "Transpose", "PadV2"])
def test_operations_that_take_no_text_on_any_backend_are_named(tmp_path: Path, op: str) -> None:
    assert "must be numeric" in _of_text(op, "cpu")
    key = "Tparams" if op == "GatherV2" else "T"
    (told,) = _of(tmp_path, _node("n", op, "x", **{key: {"type": "DT_STRING"}}))
    assert (told.fault, told.backends) == ("TF.js does not support text here", ())


@pytest.mark.parametrize("op", ["Concat", "Slice"])
def test_text_that_wasm_does_take_is_no_fault(tmp_path: Path, op: str) -> None:
    assert _of_text(op, "wasm") == _of_text(op, "cpu")
    assert _of(tmp_path, _node("n", {"Concat": "ConcatV2"}.get(op, op), "x", T={"type": "DT_STRING"})) == ()
