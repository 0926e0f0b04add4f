"""A .tflite file that is given: beside its model, or as the model; a bad one ends the run before a browser starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import pycheck
from pycheck.artifact.tflite import read_tflite
from pycheck.conversion.existing import open_tflite
from pycheck.model import identify, load
from pycheck.workflow.browsers import Hosts

from ..conversion_tflite import models
from ..shared import session

pytestmark = pytest.mark.real

WASM = "chromium:litert-wasm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has several.keras, its file lite/model.tflite, and a file of batch 4 by TensorFlow alone, four.tflite."""
    folder = tmp_path_factory.mktemp("tflite")
    keras.utils.set_random_seed(2)
    models.several().save(folder / "several.keras")
    pycheck.convert(folder / "several.keras", folder / "lite", format="tflite", verify=False)
    model = models.dense()
    model.save(folder / "dense.keras")
    function = tf.function(model, input_signature=[tf.TensorSpec((4, 8))]).get_concrete_function()
    (folder / "four.tflite").write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    return folder


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a browser starts")

    monkeypatch.setattr(Hosts, "start", fail)


def test_a_file_as_the_model_runs_on_litert_js_against_the_interpreter(folder: Path) -> None:
    report = session.compare(folder / "lite" / "model.tflite", runtimes=WASM, samples=5)
    assert report.passed, report.findings
    assert {str(c.reference) for c in report.comparisons} == {"artifact:litert"}
    assert [str(record.id) for record in report.runtimes] == ["artifact:litert", WASM]
    assert [spec.name for spec in report.model.signature.inputs] == ["zeta", "alpha"]
    assert report.inputs.sample_count == 5
    again = session.compare(folder / "lite" / "model.tflite", runtimes=WASM, samples=5)
    assert "from_cache" in again.runtimes[0].timings_s


def test_a_file_beside_its_model_is_paired_by_name(folder: Path) -> None:
    report = session.compare(
        folder / "several.keras", tflite_model=folder / "lite" / "model.tflite", runtimes=WASM, samples=3
    )
    assert report.passed, report.findings
    assert report.litert_artifact
    assert report.litert_artifact.reason == "given with --tflite-model"
    assert report.litert_artifact.input_names == {"zeta": "zeta", "alpha": "alpha"}


def test_names_that_differ_are_paired_by_order(folder: Path) -> None:
    info = open_tflite(folder / "four.tflite", load(identify(folder / "dense.keras")).info.signature)
    assert list(info.input_names) == ["the input"]
    assert list(info.output_names) == ["scores"]
    assert info.quantization == "none"


def test_a_fixed_batch_of_the_file_is_the_batch_of_the_run(folder: Path) -> None:
    with pytest.raises(pycheck.InputsFileError, match="takes 4 samples at a time, and there are 6"):
        session.compare(folder / "dense.keras", tflite_model=folder / "four.tflite", runtimes=WASM, samples=6)
    report = session.compare(folder / "dense.keras", tflite_model=folder / "four.tflite", runtimes=WASM, samples=8)
    assert report.passed, report.findings


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda content: content[: len(content) // 2], "is damaged"),
        (lambda content: content[:-40], "is damaged"),
        (lambda content: content[:4] + b"TFL2" + content[8:], "bytes 4 to 8"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_damaged_file_never_reaches_a_browser(
    folder: Path, tmp_path: Path, no_browser: None, make: Callable[[bytes], bytes], told: str, beside: bool
) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(make((folder / "lite" / "model.tflite").read_bytes()))
    with pytest.raises((pycheck.ArtifactFileError, pycheck.ModelFileError), match=told):
        if beside:
            pycheck.compare(folder / "several.keras", tflite_model=bad, runtimes=WASM)
        else:
            pycheck.compare(bad, runtimes=WASM)


def test_a_version_that_tensorflow_lite_lacks_is_an_error(folder: Path, tmp_path: Path) -> None:
    model = read_tflite(folder / "lite" / "model.tflite")
    model.root.operatorCodes[0].version = 99
    (tmp_path / "new.tflite").write_bytes(model.to_bytes())
    with pytest.raises(pycheck.ArtifactFileError, match="version '99'"):
        session.compare(tmp_path / "new.tflite", runtimes=WASM)


def test_a_file_with_variables_is_refused(tmp_path: Path, no_browser: None) -> None:
    model = models.dense()
    function = tf.function(model, input_signature=[tf.TensorSpec((1, 8))]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)  # which keeps Keras 3's variables
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    assert "READ_VARIABLE" in [operation.op for operation in read_tflite(tmp_path / "m.tflite").operations()]
    with pytest.raises(pycheck.ArtifactFileError, match="variables are not frozen"):
        pycheck.compare(tmp_path / "m.tflite")


def test_runtimes_of_tfjs_and_conversions_are_refused(folder: Path, no_browser: None) -> None:
    file = folder / "lite" / "model.tflite"
    with pytest.raises(pycheck.UsageError, match="chromium:cpu cannot run"):
        pycheck.compare(file, runtimes="chromium:cpu")
    with pytest.raises(pycheck.UsageError, match=r"already a \.tflite file"):
        pycheck.compare(file, runtimes=WASM, quantize="float16")
    with pytest.raises(pycheck.UsageError, match=r"already a \.tflite file"):
        pycheck.convert(file, folder / "again")


def test_a_wrong_weight_of_the_file_is_the_fault_of_the_file_with_one_runtime_alone(
    folder: Path, tmp_path: Path
) -> None:
    model = read_tflite(folder / "lite" / "model.tflite")
    weight = next(t for t in model.tensors() if t.is_constant and t.dtype == "float32" and len(t.shape) == 2)
    values = model.constant(weight.index)
    assert values is not None
    buffer = model.root.subgraphs[0].tensors[weight.index].buffer
    model.root.buffers[buffer].data = np.frombuffer((values * np.float32(1.01)).tobytes(), np.uint8)
    (tmp_path / "wrong.tflite").write_bytes(model.to_bytes())
    report = session.compare(folder / "several.keras", tflite_model=tmp_path / "wrong.tflite", runtimes=WASM)
    assert not report.passed
    (found,) = [finding for finding in report.findings if finding.code == "conversion-drift"]
    assert "the file is wrong, not the browser" in found.summary
    right = {c.tensor for c in report.comparisons if c.passed}
    assert right == {"z", "a"} - {found.tensor}


def test_quantized_weights_are_told_with_one_runtime_alone(folder: Path, tmp_path: Path) -> None:
    report = session.compare(folder / "dense.keras", runtimes=WASM, quantize="float16", atol=1e-7)
    assert not report.passed
    (found,) = [finding for finding in report.findings if finding.code == "quantization-drift"]
    assert "in the file, not in the browser" in found.summary


def test_a_browser_that_loses_nan_is_told_from_the_file(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    keras.Model(x, keras.layers.Dense(3, activation="tanh", name="y")(x)).save(tmp_path / "m.keras")
    inputs = np.full((2, 4), np.nan, np.float32)
    report = session.compare(tmp_path / "m.keras", {"x": inputs}, runtimes="chromium:litert-webgpu")
    (found,) = [finding for finding in report.findings if finding.code == "nan-masked"]
    assert "so the file is right" in found.summary


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose results the two kinds of kernels of TensorFlow Lite compute differently for 0 and for NaN."""

    @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32, name="x")])
    def function(x: Any) -> Any:
        return {"quotient": 1.0 / x, "maximum": tf.maximum(x, 0.5)}

    file = tmp_path_factory.mktemp("edges") / "edges.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    file.write_bytes(converter.convert())
    return file


EDGES = np.array([[0, 2, 4], [1, 2, 0], [3, 0, np.nan]], np.float32)


def test_the_reference_of_a_file_is_the_interpreter_that_users_run(edges: Path) -> None:
    own = tf.lite.Interpreter(str(edges))
    own.allocate_tensors()
    expected: dict[int, list[np.ndarray]] = {port["index"]: [] for port in own.get_output_details()}
    for sample in EDGES:
        own.set_tensor(own.get_input_details()[0]["index"], sample[None])
        own.invoke()
        for index, values in expected.items():
            values.append(own.get_tensor(index))
    given = load(identify(edges)).predict({"x": EDGES})
    ports = {port.name: port.tensor for port in read_tflite(edges).outputs}
    for name, value in given.items():
        np.testing.assert_array_equal(value, np.concatenate(expected[ports[name]]))
    assert sorted(int(np.isnan(value).sum() + 10 * np.isinf(value).sum()) for value in given.values()) == [1, 31]
    report = session.compare(edges, {"x": EDGES}, runtimes=WASM)
    assert report.passed, report.findings


def test_no_operation_is_blamed_whose_nan_python_itself_computes_in_two_ways(edges: Path) -> None:
    report = session.trace(edges, {"x": EDGES}, runtimes="chromium:litert-webgpu")
    assert report.trace is not None
    assert not report.trace.sources()
    (maximum,) = [point for point in report.trace.points if point.op == "MAXIMUM"]
    assert [result.undecided for result in maximum.results] == [1]
    (masked,) = [finding for finding in report.findings if finding.code == "nan-masked"]
    assert "only without XNNPACK" in masked.summary
    (found,) = [finding for finding in report.findings if finding.code == "accumulated-drift"]
    assert found.evidence["because"] == "kernels" and maximum.name in found.summary


def test_a_trace_of_a_file_needs_no_named_runtimes(edges: Path) -> None:
    trace = session.trace(edges, {"x": EDGES}).trace
    assert trace is not None
    assert {str(result.runtime) for point in trace.points for result in point.results} >= {WASM}
