"""A bundle as who receives it meets it: its page in a real browser, with TF.js from the CDN or from beside it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck import tensors
from pycheck.bundle.litert import CDN as LITERT_CDN
from pycheck.bundle.page import CDN
from pycheck.cli import main as cli
from pycheck.report import render
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.runtimes.launching.finding import find_browser
from pycheck.types import Report

from ..conftest import Cli
from ..shared import session

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "node_modules" / "@tensorflow"
LITERT = ROOT / "node_modules" / "@litertjs"
OPTIONS: dict[str, Any] = {"timeout_s": 120.0, "cache": False}


@dataclass(frozen=True)
class Made:
    """A report and the folder that came with it."""

    report: Report
    folder: Path

    @property
    def issue(self) -> str:
        return (self.folder / "issue.md").read_text(encoding="utf-8")

    def tensors(self) -> dict[str, Any]:
        return tensors.decode((self.folder / "tensors.safetensors").read_bytes())


def printed(page: Path, *, network: bool = True) -> str:
    """What the page prints; the CDN's addresses lead to the packages that are installed, any other to nothing."""
    from playwright.sync_api import Route, sync_playwright

    def answer(route: Route) -> None:
        cdn, packages = (LITERT_CDN, LITERT) if route.request.url.startswith(LITERT_CDN) else (CDN, PACKAGES)
        name, _, path = route.request.url.removeprefix(cdn).partition("@")
        file = packages / name / path.partition("/")[2]
        version = json.loads((packages / name / "package.json").read_text())["version"] if file.is_file() else None
        if network and route.request.url.startswith(cdn) and path.startswith(f"{version}/"):
            route.fulfill(path=file, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.abort()

    with sync_playwright() as playwright:
        found = find_browser()
        browser = playwright.chromium.launch(executable_path=found.path, args=["--no-sandbox", "--enable-gpu"])
        try:
            opened = browser.new_page()
            opened.set_default_timeout(0)  # WebGL in software takes long on a busy machine; the test has a limit itself
            opened.route(re.compile("^https?:"), answer)
            opened.goto(page.as_uri())
            shown = "!document.getElementById('result').textContent.includes('is loading')"
            opened.wait_for_function(shown, polling=100)  # the default is each frame, and software may draw none
            return opened.inner_text("#result")
        finally:
            browser.close()


@pytest.fixture(scope="module")
def relu(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The sample whose relu of -Inf is NaN in WebGL: a node of a graph."""
    folder = tmp_path_factory.mktemp("relu") / "bug"
    inputs = ROOT / "models" / "webgl_nan_inputs.npy"
    model = ROOT / "models" / "webgl_nan.keras"
    return Made(session.trace(model, inputs, runtimes=["chromium:webgl"], bundle=folder, **OPTIONS), folder)


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A layer with weights, whose product overflows to -Inf before its relu."""
    import keras

    x = keras.Input((16,), name="x")
    large = keras.layers.Rescaling(1e30, name="large")(x)
    model = keras.Model(x, keras.layers.Dense(32, activation="relu", name="cut")(large))
    kernel = np.full((16, 32), -1e-3, np.float32)
    kernel[:, 5] = -1e30
    model.get_layer("cut").set_weights([kernel, np.zeros(32, np.float32)])
    inputs = np.random.default_rng(0).uniform(0.5, 1.0, size=(6, 16)).astype(np.float32)
    folder = tmp_path_factory.mktemp("dense") / "bug"
    report = session.trace(model, inputs, format="layers", runtimes=["chromium:webgl"], bundle=folder, **OPTIONS)
    return Made(report, folder)


def nan_in_a_pool() -> tuple[Any, np.ndarray]:
    """A NaN in one pooling window, which TF.js's WebAssembly makes -Inf: an operation that pairs no elements."""
    import keras

    x = keras.Input((8, 8, 2), name="x")
    half = keras.layers.Rescaling(0.5, name="half")(x)
    model = keras.Model(x, keras.layers.MaxPooling2D(2, name="pool")(half))
    inputs = np.random.default_rng(0).uniform(0.5, 1.0, size=(6, 8, 8, 2)).astype(np.float32)
    inputs[3, 2, 2, 0] = np.nan
    return model, inputs


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Made:
    model, inputs = nan_in_a_pool()
    folder = tmp_path_factory.mktemp("pool") / "bug"
    report = session.trace(model, inputs, format="graph", runtimes=["chromium:wasm"], bundle=folder, **OPTIONS)
    return Made(report, folder)


@pytest.fixture(scope="module")
def logarithm(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The logarithm of infinity in a .tflite file, which is finite on LiteRT.js."""
    import keras

    x = keras.Input((4,), name="x")
    half = keras.layers.Rescaling(0.5, name="half")(x)
    model = keras.Model(x, keras.layers.Dense(2, name="y")(keras.ops.log(half)))
    inputs = np.random.default_rng(0).uniform(0.5, 1.0, size=(3, 4)).astype(np.float32)
    inputs[1, 2] = np.inf
    folder = tmp_path_factory.mktemp("logarithm") / "bug"
    report = session.trace(model, inputs, runtimes=["chromium:litert-wasm"], bundle=folder, **OPTIONS)
    return Made(report, folder)


def test_the_page_of_a_tflite_operation_shows_the_divergence_with_nothing_but_litert_js(
    logarithm: Made, tmp_path: Path
) -> None:
    assert logarithm.report.trace is not None and logarithm.report.trace.bundle is not None
    bundle = logarithm.report.trace.bundle
    assert bundle.folder == str(logarithm.folder), bundle.note
    assert sorted(file.name for file in logarithm.folder.iterdir()) == [
        "environment.json",
        "index.html",
        "issue.md",
        "model.tflite",
        "tensors.safetensors",
    ]
    shutil.copy(logarithm.folder / "index.html", tmp_path / "alone.html")
    text = printed(tmp_path / "alone.html")
    assert "operation   LOG" in text
    assert "LiteRT.js   2." in text and ", wasm" in text
    assert "elements differ" in text and "LiteRT.js is wrong in this browser" in text
    assert "LiteRT.js could not be loaded" in printed(tmp_path / "alone.html", network=False)
    assert logarithm.issue.startswith("# LOG on litert-wasm")
    found = logarithm.tensors()
    assert {name for name in found if not name.startswith("input/")} == {"tensorflow_lite", "litert_js"}
    assert found["litert_js"].shape == (1, 4)  # the batch with the wrong element


@pytest.fixture(scope="module")
def inverse(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A Fourier transform that WebGL computes with few digits, from complex numbers to complex numbers."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("inverse")
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="x")])
    def transformed(x: Any) -> Any:
        return {"y": tf.math.imag(tf.signal.ifft(tf.complex(x, 2.0 * x)))}

    module.f = transformed
    tf.saved_model.save(module, str(folder / "model"), signatures=transformed)
    inputs = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    bug = folder / "bug"
    return Made(session.trace(folder / "model", inputs, runtimes=["chromium:webgl"], bundle=bug, **OPTIONS), bug)


@pytest.mark.exhaustive
def test_the_page_of_complex_numbers_shows_both_parts(inverse: Made) -> None:
    text = printed(inverse.folder / "index.html")
    assert re.search(r"^operation +IFFT$", text, re.M)
    assert re.search(r"^input +\S+: complex64 \[1,64\] = ", text, re.M)
    assert re.search(r"^\[0,\d+,[01]\] .* differs$", text, re.M)
    stored = inverse.tensors()
    assert stored["tfjs"].shape == stored["tensorflow_float64"].shape == (1, 64, 2)
    assert next(value for name, value in stored.items() if name.startswith("input/")).dtype == np.complex64


def test_the_page_of_a_node_shows_the_divergence_with_nothing_but_scripts_of_tfjs(relu: Made) -> None:
    text = printed(relu.folder / "index.html")
    assert re.search(r"^operation +Relu, of layer no_less_than_none$", text, re.M)
    assert re.search(r"^input +\S+: float32 \[1,1,1\] = -Infinity$", text, re.M)
    assert re.search(r"^TF.js +4\.22\.0, webgl .*SwiftShader", text, re.M)
    assert re.search(r"^\[0,0,0\] +0 +NaN +NaN +differs$", text, re.M)
    assert "1 of 1 elements differ: TensorFlow.js is wrong" in text


@pytest.mark.exhaustive
def test_the_same_page_says_where_tfjs_is_right(relu: Made, tmp_path: Path) -> None:
    page = (relu.folder / "index.html").read_text(encoding="utf-8")
    other = page.replace("backend-webgl", "backend-cpu").replace('"backend": "webgl"', '"backend": "cpu"')
    other = re.sub(r'"flags": \{[^}]*\}', '"flags": {}', other).replace("findBackendFactory('webgl')", "true")
    (tmp_path / "index.html").write_text(other, encoding="utf-8")
    text = printed(tmp_path / "index.html")
    assert re.search(r"^\[0,0,0\] +0 +0 +NaN$", text, re.M)
    assert "All 1 elements agree with TensorFlow" in text


@pytest.mark.exhaustive
def test_without_a_network_the_page_takes_tfjs_from_beside_it_or_says_that_it_lacks_it(
    relu: Made, tmp_path: Path
) -> None:
    shutil.copy(relu.folder / "index.html", tmp_path)
    assert "TensorFlow.js could not be loaded" in printed(tmp_path / "index.html", network=False)
    for package in ("core", "backend-webgl", "converter"):
        shutil.copy(PACKAGES / f"tfjs-{package}" / "dist" / f"tf-{package}.min.js", tmp_path)
    assert "1 of 1 elements differ" in printed(tmp_path / "index.html", network=False)


def test_a_bundle_has_the_tensors_the_environment_and_the_operation_by_itself(relu: Made) -> None:
    values = relu.tensors()
    (operand,) = (value for name, value in values.items() if name.startswith("input/"))
    assert operand.tolist() == [[[-np.inf]]]
    assert values["tensorflow_float32"].item() == values["tensorflow_float64"].item() == 0.0
    assert np.isnan(values["tfjs"].item())
    environment = json.loads((relu.folder / "environment.json").read_text())
    assert environment["tfjs"]["runtime"] == "chromium:webgl"
    assert "SwiftShader" in environment["tfjs"]["renderer"]
    assert environment["tensorflow"]["library"].startswith("tensorflow 2.")
    nodes = json.loads((relu.folder / "model.json").read_text())["modelTopology"]["node"]
    assert [node["op"] for node in nodes] == ["Placeholder", "Relu"]


def test_the_text_for_an_issue_holds_all_that_a_maintainer_asks_for(relu: Made) -> None:
    text = relu.issue
    assert text.startswith("# Relu on webgl gives NaN or infinity")
    assert "- TensorFlow.js: 4.22.0" in text
    assert "| [0, 0, 0] | 0 | NaN |" in text
    assert "= -Infinity" in text
    page = re.search(r"```html\n(.*?)\n```", text, re.S)
    assert page is not None and page[1] == (relu.folder / "index.html").read_text().rstrip("\n")
    assert str(relu.folder.parent) not in text + (relu.folder / "environment.json").read_text()


@pytest.mark.exhaustive
def test_the_page_of_a_layer_has_its_weights_and_one_sample(dense: Made) -> None:
    text = printed(dense.folder / "index.html")
    assert re.search(r"^operation +Dense, of layer cut$", text, re.M)
    assert re.search(r"^\[0,5\] +0 +NaN +NaN +differs$", text, re.M)
    assert "1 of 32 elements differ" in text
    assert dense.tensors()["input/input_0"].shape == (1, 16)
    topology = json.loads((dense.folder / "model.json").read_text())["modelTopology"]["model_config"]["config"]
    assert [layer["class_name"] for layer in topology["layers"]] == ["InputLayer", "Dense"]


def test_an_operation_that_pairs_no_elements_keeps_the_row_on_which_it_errs(pool: Made) -> None:
    text = printed(pool.folder / "index.html")
    assert re.search(r"^operation +MaxPool\b", text, re.M)
    assert re.search(r"^TF.js +4\.22\.0, wasm$", text, re.M)
    assert re.search(r"^\[0,1,1,0\] .* -Infinity +-Infinity +differs$", text, re.M)
    assert "1 of 32 elements differ" in text


def test_the_report_tells_of_the_bundle_in_words_and_in_json(relu: Made) -> None:
    assert relu.report.trace is not None and relu.report.trace.bundle is not None
    assert relu.report.trace.bundle.point == "webgl_nan_1/no_less_than_none_1/Relu"
    again = report_from_dict(report_to_dict(relu.report))
    assert again.trace is not None and again.trace.bundle == relu.report.trace.bundle
    text = "".join(render(relu.report, "terminal").split())
    assert f"{relu.folder}/index.html shows Relu in isolation, on 1 element".replace(" ", "") in text


def test_without_a_source_nothing_is_written_and_the_report_says_so(tmp_path: Path) -> None:
    import keras

    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, name="y")(x))
    folder = tmp_path / "bug"
    report = session.trace(model, samples=4, runtimes=["chromium:cpu"], bundle=folder, **OPTIONS)
    assert report.passed
    assert report.trace is not None and report.trace.bundle is not None
    assert report.trace.bundle.folder is None
    assert report.trace.bundle.note == "nothing written: no operation exceeds its tolerance in isolation"
    assert not folder.exists()


def test_a_point_that_is_not_there_is_refused_with_the_nearest_and_one_that_is_no_source_with_the_sources(
    tmp_path: Path, command: Cli
) -> None:
    model, inputs = nan_in_a_pool()
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", inputs)
    files = [tmp_path / "m.keras", tmp_path / "x.npy"]
    words = ["trace", *files, "--runtime", "chromium:wasm", "--bundle", tmp_path / "bug", "--bundle-point"]
    refused = command(*words, "poool")
    assert refused.code == 2 and "The nearest: pool" in refused.err
    done = command(*words, "half")
    assert done.code == 1
    said = " ".join(done.out.split())
    assert "nothing written: half is not a source operation; the sources are" in said
    assert not (tmp_path / "bug").exists()


def test_a_name_without_a_bundle_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["trace", "m.keras", "--bundle-point", "x"]) == 2
    assert "Add --bundle DIR" in capsys.readouterr().err
