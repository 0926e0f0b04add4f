"""Every model becomes a .tflite file with the model's values in TensorFlow Lite, or an error that names the cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.tflite import obstacles, read_tflite
from pycheck.artifact.tflite.interpreter import Kernels, TfliteInterpreter
from pycheck.artifact.tflite.points import tflite_graph
from pycheck.conversion import convert_litert
from pycheck.errors import ConversionError
from pycheck.model import load
from pycheck.types import Array, ArtifactInfo, Tensors

from ..conftest import more
from . import models

pytestmark = pytest.mark.real

_QUANTIZED = {"none": 2e-6, "float16": 2e-3, "dynamic": 3e-2, "int8": 6e-2}


@dataclass
class Converted:
    info: ArtifactInfo
    file: Path
    inputs: dict[str, Array]
    expected: Tensors


def convert(make: Callable[[], Any], folder: Path, quantize: str = "none", samples: int = 3) -> Converted:
    import keras

    keras.utils.set_random_seed(1)
    model = load(make())
    inputs = models.made(model, samples)
    shapes = {name: (1, *value.shape[1:]) for name, value in inputs.items()}
    calibrating = [{name: value[i : i + 1] for name, value in inputs.items()} for i in range(samples)]
    info = convert_litert(model, folder / "lite", shapes, quantize=quantize, samples=calibrating)
    return Converted(info, folder / "lite" / info.model_file, inputs, model.predict(inputs))


def largest_error(given: Tensors, expected: Tensors) -> float:
    assert given.keys() == expected.keys()
    for name, value in expected.items():
        assert given[name].shape == value.shape
    return max(float(np.abs(np.asarray(given[name], np.float64) - value).max()) for name, value in expected.items())


@pytest.fixture(scope="module")
def in_float32(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Converted]:
    """Converts each model once."""
    return cache(lambda name: convert(models.MODELS[name], tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize("kernels", list(Kernels))
@pytest.mark.parametrize("name", models.MODELS)
def test_the_file_gives_the_values_of_the_model(
    name: str, kernels: Kernels, in_float32: Callable[[str], Converted]
) -> None:
    done = in_float32(name)
    assert list(obstacles(read_tflite(done.file))) == []
    assert largest_error(TfliteInterpreter(done.file, kernels).run(done.inputs), done.expected) < _QUANTIZED["none"]


@pytest.mark.parametrize(
    ("name", "quantize"),
    [
        ("wide", "float16"),
        ("wide", "dynamic"),
        *more(*((n, q) for n in ("dense", "several", "embedding", "wide") for q in ("float16", "dynamic", "int8"))),
    ],
)
def test_quantized_files_are_near_the_model(name: str, quantize: str, tmp_path: Path) -> None:
    assert_near(convert(models.MODELS[name], tmp_path, quantize), quantize)


def assert_near(done: Converted, quantize: str) -> None:
    assert done.info.quantization == quantize
    types = {port.name: read_tflite(done.file).tensors()[port.tensor].dtype for port in read_tflite(done.file).outputs}
    assert set(types.values()) == {"float32"}
    assert 0 < largest_error(TfliteInterpreter(done.file).run(done.inputs), done.expected) < _QUANTIZED[quantize]


def test_int8_is_near_the_model_has_the_range_of_all_samples_and_says_what_stays_in_float(tmp_path: Path) -> None:
    done = convert(models.echoed, tmp_path, "int8", 40)
    assert_near(done, "int8")
    file = read_tflite(done.file)
    (quantized,) = [o for o in file.operations() if o.op == "QUANTIZE" and o.inputs == (file.inputs[0].tensor,)]
    scale, _ = file.tensors()[quantized.outputs[0]].quantization or (0, 0)
    assert 255 * scale == pytest.approx(np.ptp(done.inputs["image"]), rel=1e-5)
    (note,) = [note for note in done.info.notes if note.startswith("int8:")]
    assert "calibrated with 40 samples" in note
    assert "RESHAPE" in note  # the copy of the input


def test_a_loop_that_kills_the_converter_is_an_error_that_says_to_unroll_it(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="ended with SIG") as error:
        convert(models.recurrent, tmp_path, "int8")
    assert "unroll=True" in error.value.advice


@pytest.mark.exhaustive
def test_an_unrolled_loop_converts_to_int8(tmp_path: Path) -> None:
    done = convert(lambda: models.recurrent(unroll=True), tmp_path, "int8")
    assert largest_error(TfliteInterpreter(done.file).run(done.inputs), done.expected) < _QUANTIZED["int8"]


def test_names_are_the_models_own_in_its_order(in_float32: Callable[[str], Converted]) -> None:
    done = in_float32("several")
    file = read_tflite(done.file)
    assert [port.name for port in file.inputs] == ["zeta", "alpha"]
    assert {port.name: file.tensors()[port.tensor].shape for port in file.outputs} == {"z": (1, 5), "a": (1, 2)}
    assert [port.name for port in read_tflite(in_float32("dense").file).inputs] == ["the input"]


def test_outputs_that_litert_js_would_return_wrong_are_copied_and_told(in_float32: Callable[[str], Converted]) -> None:
    done = in_float32("returned")
    assert sorted(note.partition(":")[0] for note in done.info.notes if "RESHAPE" in note) == ["echo", "second"]


def test_only_nodes_that_litert_lacks_are_rewritten(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    done = convert(models.lacking, tmp_path)
    assert "GELU" in [operation.op for operation in read_tflite(done.file).operations()]
    (note,) = [note for note in done.info.notes if note.startswith("Erfc -> ")]
    assert "(1 node;" in note
    assert "error" not in capfd.readouterr().err  # of the first attempt
    assert "trackable_obj" not in caplog.text


def test_operations_that_litert_lacks_are_named_with_their_layer(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as error:
        convert(models.lengths, tmp_path)
    assert "AsString: LiteRT has no such operation, used by layer 'odd'" in error.value.message
    assert not (tmp_path / "lite").exists()


def test_a_size_that_depends_on_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="free shape"):
        convert(models.positive, tmp_path)


def test_a_note_names_weights_that_dynamic_quantization_leaves_in_float(tmp_path: Path) -> None:
    (note,) = [note for note in convert(models.wide, tmp_path, "dynamic").info.notes if note.startswith("dynamic:")]
    assert "1 weight (" in note
    assert "small" in note


@pytest.mark.parametrize("name", ["recurrent", "embedding", *more("convolution", "several", "dense")])
def test_each_operation_alone_and_ranges_give_what_they_give_in_the_whole_model(name: str, tmp_path: Path) -> None:
    done = convert(models.MODELS[name], tmp_path, samples=1)
    graph = tflite_graph(read_tflite(done.file))
    points = graph.points
    feeds = {port.name: done.inputs[port.name] for port in graph.model.inputs}
    values = TfliteInterpreter(graph.part(feeds, [point.name for point in points])).run(feeds) | feeds
    last = len(points) - 1
    for first, end in [*((index, index) for index in range(last + 1)), (0, last), (1, last - 1)]:
        within = {point.name for point in points[first : end + 1]}
        given = {name for point in points[first : end + 1] for name in point.inputs} - within
        results = TfliteInterpreter(graph.part(given, within)).run({name: values[name] for name in given})
        assert set(results) == within
        for output, value in results.items():
            np.testing.assert_allclose(
                np.asarray(value, np.float64), values[output], atol=2e-6, err_msg=f"{first} {end}"
            )
