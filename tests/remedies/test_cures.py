"""Real failures of real backends, and what is seen to cure them."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.conversion.published_environment import PublishedConverter
from pycheck.types import Remedy, Report
from pycheck.workflow import lazy_model as source

from ..conftest import Cli
from ..shared import session

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"
Only = Callable[..., None]


def the_remedy(report: Report) -> Remedy:
    """The only one that was tried."""
    (remedy,) = [remedy for remedy in report.remedies if remedy.after]
    return remedy


@pytest.mark.exhaustive
def test_a_newcomer_follows_the_last_line_of_each_command_to_one_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Cli
) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(MODELS.parent)

    def follow(line: str) -> tuple[int, str]:
        program, *arguments = shlex.split(line)
        assert program == "pycheck"
        code, out, _ = command(*arguments)
        return code, out

    code, compared = follow("pycheck compare models/webgl_nan.keras models/webgl_nan_inputs.npy")
    assert code == 1
    code, traced = follow(compared.splitlines()[-1])
    assert code == 1  # what failed has failed
    words = " ".join(traced.split())
    assert "This fix works: --flag WEBGL_PACK_UNARY_OPERATIONS=false." in words
    assert "the input readings clipped to -" in words
    code, cured = follow(traced.splitlines()[-1])
    assert code == 0
    assert cured.startswith("PASS  chromium:cpu, chromium:webgl and chromium:wasm agree with Python")


def test_a_relu_of_infinity_is_cured_by_a_flag_by_its_kernel_and_by_another_backend(only: Only) -> None:
    import keras

    only("flags", "operations", "backend")
    x = keras.Input((48,), name="x")
    large = keras.layers.Rescaling(-1e30)(keras.layers.Rescaling(1e30)(x))
    model = keras.Model(x, keras.layers.Rescaling(0.5, name="y")(keras.ops.relu(large)))
    inputs = np.full((8, 48), -1.0, np.float32)
    inputs[3] = 1.0  # -Inf before the relu
    report = session.compare(model, inputs, runtimes=["chromium:cpu", "chromium:webgl"], try_remedies=True)
    worked = {remedy.kind: remedy for remedy in report.remedies if remedy.worked}
    assert worked["flags"].options == ("--flag", "WEBGL_PACK_UNARY_OPERATIONS=false")
    assert worked["operations"].options == ("--cpu-kernel", "Relu")
    assert worked["backend"].options == ("--runtime", "chromium:cpu")
    for remedy in worked.values():
        assert remedy.before.nonfinite_count == 48
        assert remedy.after is not None
        assert remedy.after.nonfinite_count == 0
    assert report.verdict is pycheck.Verdict.NAN_DIVERGENCE


def applied(remedy: Remedy, **names: Any) -> dict[str, Any]:
    """The names of a Python program after the Python lines of a remedy, which are all that ends with "# Python"."""
    scope = {"np": np, **names}
    exec("\n".join(line for line in remedy.code.splitlines() if line.endswith("# Python")), scope)
    return scope


@pytest.mark.exhaustive
def test_half_floats_hold_what_is_scaled_below_their_limit(only: Only) -> None:
    only("inputs")
    report = session.compare(
        MODELS / "half_overflow.keras",
        MODELS / "half_overflow_inputs.npy",
        runtimes=["chromium:webgl-f16"],
        try_remedies=True,
    )
    remedy = the_remedy(report)
    assert remedy.worked
    factor = float(remedy.change.split(" times ")[1].split(",")[0])
    largest = factor * float(np.abs(np.load(MODELS / "half_overflow_inputs.npy")).max())
    assert largest**2 < 65504 < (1.3 * largest) ** 2
    name = report.model.signature.inputs[0].name
    scaled = applied(remedy, **{name: np.load(MODELS / "half_overflow_inputs.npy")})[name]
    assert session.compare(MODELS / "half_overflow.keras", scaled, runtimes=["chromium:webgl-f16"]).passed


@pytest.mark.exhaustive
def test_an_outlier_is_clipped_by_the_lines_that_are_handed_out(only: Only) -> None:
    only("inputs")
    model, x = MODELS / "webgl_nan.keras", np.load(MODELS / "webgl_nan_inputs.npy")
    report = session.compare(model, x, runtimes=["chromium:webgl"], try_remedies=True)
    remedy = the_remedy(report)
    assert remedy.worked and "clipped" in remedy.change
    clipped = applied(remedy, readings=x)["readings"]
    assert not np.array_equal(clipped, x)
    assert session.compare(model, clipped, runtimes=["chromium:webgl"]).passed


@pytest.mark.exhaustive
@pytest.mark.parametrize("inside", [False, True])
def test_an_epsilon_that_half_floats_lose_is_raised_in_a_copy_of_the_artifact_and_by_the_lines_handed_out(
    inside: bool, only: Only, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    only("epsilon")
    keras.utils.set_random_seed(0)
    x = keras.Input((64,), name="x")
    norm = keras.layers.LayerNormalization(epsilon=1e-8, name="norm")
    before = keras.Sequential([keras.Input((64,)), norm], name="before") if inside else norm
    model = keras.Model(x, keras.layers.Dense(3, name="y")(before(x)))
    inputs = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
    inputs[3] = 0.5  # no variance: what is divided by is the epsilon alone
    options: dict[str, Any] = {"runtimes": ["chromium:webgl-f16"], "format": "graph"}
    report = session.compare(model, inputs, try_remedies=True, **options)
    remedy = the_remedy(report)
    assert remedy.worked
    assert remedy.change == "epsilon 0.0001 in norm"
    monkeypatch.chdir(tmp_path)
    applied(remedy, model=model)
    again = session.compare("larger_epsilon.keras", inputs, **options)
    assert again.passed, str(again)
    assert not [f for f in again.findings if f.code == "reference-differs"]


@pytest.mark.exhaustive
def test_coarse_weights_are_made_finer(only: Only) -> None:
    only("quantization")
    report = session.compare(
        MODELS / "cnn.keras",
        MODELS / "cnn_inputs.npy",
        runtimes=["chromium:cpu"],
        quantize="uint8",
        atol=2e-3,
        try_remedies=True,
    )
    remedy = the_remedy(report)
    assert remedy.worked
    assert remedy.options == ("--quantize", "uint16")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody else might have converted: `wrong` with other weights, `norm` with too small an epsilon."""
    import keras

    folder = tmp_path_factory.mktemp("artifacts")
    pycheck.convert(MODELS / "cnn.keras", folder / "wrong", verify=False)
    shard = next((folder / "wrong").glob("*.bin"))
    weights = np.fromfile(shard, "<f4")
    weights[: len(weights) // 2] *= 1.5
    weights.tofile(shard)
    x = keras.Input((64,), name="x")
    norm = keras.layers.LayerNormalization(epsilon=1e-8, name="norm")
    pycheck.convert(
        keras.Model(x, keras.layers.Rescaling(2.0, name="y")(norm(x))), folder / "norm", format="graph", verify=False
    )
    return folder


def test_an_artifact_that_was_handed_over_is_replaced_by_one_that_is_converted_anew(
    artifacts: Path, only: Only
) -> None:
    only("conversion")
    report = session.compare(
        MODELS / "cnn.keras",
        MODELS / "cnn_inputs.npy",
        tfjs_model=artifacts / "wrong" / "model.json",
        runtimes=["chromium:cpu"],
        try_remedies=True,
    )
    remedy = the_remedy(report)
    assert remedy.worked
    assert remedy.change == "the model converted with pycheck, in the layers format"


def test_an_epsilon_of_a_published_model_is_raised_in_a_copy_and_what_needs_the_model_is_not_tried(
    artifacts: Path, only: Only
) -> None:
    only("epsilon")
    inputs = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
    inputs[3] = 0.5
    report = session.compare(
        artifacts / "norm" / "model.json", inputs, runtimes=["chromium:webgl-f16"], try_remedies=True
    )
    worked = [remedy for remedy in report.remedies if remedy.worked]
    assert [remedy.kind for remedy in worked] == ["epsilon"]
    assert worked[0].change.startswith("epsilon 0.0001 in ")
    untried = [(remedy.kind, remedy.note) for remedy in report.remedies if remedy.after is None]
    assert [kind for kind, _ in untried] == ["format"]
    assert untried[0][1].startswith("only the model.json is given, so pycheck cannot convert it again")


def outer_product(folder: Path) -> Path:
    """A published graph with an Einsum, which TF.js's wasm backend has no kernel for."""
    kind = {"type": "DT_FLOAT"}
    given, made = ({"dim": [{"size": size} for size in sizes]} for sizes in (["-1", "8"], ["-1", "8", "8"]))
    attributes = {"T": kind, "N": {"i": "2"}, "equation": {"s": base64.b64encode(b"ab,ac->abc").decode()}}
    nodes = [
        {"name": "x", "op": "Placeholder", "attr": {"dtype": kind, "shape": {"shape": given}}},
        {"name": "y", "op": "Einsum", "input": ["x", "x"], "attr": attributes},
    ]
    signature = {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": given}},
        "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": made}},
    }
    document = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "versions": {"producer": 1}},
        "signature": signature,
        "weightsManifest": [],
    }
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


def test_a_kernel_that_a_backend_lacks_is_lent_by_the_cpu(tmp_path: Path, only: Only) -> None:
    only("operations")
    report = session.compare(outer_product(tmp_path), samples=16, runtimes=["chromium:wasm"], try_remedies=True)
    remedy = the_remedy(report)
    assert remedy.before.error is not None and "Einsum" in remedy.before.error
    assert remedy.worked
    assert remedy.options == ("--cpu-kernel", "Einsum")


def test_a_kernel_that_tfjs_does_not_have_is_an_error_that_names_its_neighbours() -> None:
    with pytest.raises(pycheck.UsageError, match=r"no kernel Rleu .*Relu, Relu6"):
        session.compare(
            MODELS / "cnn.keras", MODELS / "cnn_inputs.npy", runtimes=["chromium:wasm"], cpu_kernels=["Rleu"]
        )


def _with_spread_variances(folder: Path) -> tuple[Path, np.ndarray]:
    """A normalization with a dead channel and a loud one, whose variances 255 steps cannot hold."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    norm = layers.BatchNormalization(name="bn")
    image = keras.Input((12, 12, 1))
    features = layers.Flatten()(norm(layers.Conv2D(8, 3, activation="relu", name="conv")(image)))
    model = keras.Model(image, layers.Dense(5, activation="softmax", name="kind")(features))
    generator = np.random.default_rng(0)
    gamma, beta, mean, variance = norm.get_weights()
    variance[:] = generator.uniform(0.05, 0.3, variance.shape)
    variance[0], variance[1] = 1e-3, 900.0
    norm.set_weights([gamma, beta, mean, variance])
    model.save(folder / "m.keras")
    return folder / "m.keras", generator.uniform(0, 1, (8, 12, 12, 1)).astype("f4")


def test_the_weight_that_quantization_ruins_is_found_and_left_out_and_float16_is_tried(
    only: Only, tmp_path: Path
) -> None:
    only("tensors", "quantization")
    model, x = _with_spread_variances(tmp_path)
    report = session.compare(model, x, runtimes=["chromium:cpu"], quantize="uint8", format="layers", try_remedies=True)
    kept, finer = report.remedies
    assert (kept.kind, kept.worked) == ("tensors", True)
    assert kept.change == "bn/moving_variance in float32, the other weights in uint8"
    assert kept.trial_count <= 4
    assert (finer.kind, finer.worked, finer.options[:2]) == ("quantization", True, ("--quantize", "float16"))
    for remedy in (kept, finer):
        assert remedy.after and remedy.after.max_abs_error and remedy.before.max_abs_error
        assert remedy.after.max_abs_error < 0.02 * remedy.before.max_abs_error
        options = dict(zip(remedy.options[::2], remedy.options[1::2], strict=True))
        again = session.compare(
            model,
            x,
            runtimes=["chromium:cpu"],
            format="layers",
            quantize=options.get("--quantize", "uint8"),
            keep_float=options.get("--keep-float"),
        )
        assert again.verdict is pycheck.Verdict.PASS


@pytest.mark.exhaustive
def test_an_artifact_of_coarse_weights_that_was_given_is_converted_again_by_the_command_that_is_printed(
    only: Only, tmp_path: Path, command: Cli
) -> None:
    only("conversion", "tensors", "quantization")
    model, x = _with_spread_variances(tmp_path)
    np.save(tmp_path / "x.npy", x)
    pycheck.convert(model, tmp_path / "web", quantize="uint8", verify=False)
    given = f"compare {model} {tmp_path / 'x.npy'} --tfjs-model {tmp_path / 'web'} --runtime chromium:cpu"
    code, out, _ = command(*shlex.split(given), "--try-remedies")
    assert code == 1
    words = " ".join(out.split())
    assert "bn/moving_variance in float32, the other weights in uint8, converted with pycheck" in words
    assert "weights in float16 instead of uint8, converted with pycheck" in words
    assert (
        "does not help: the model converted with pycheck, in the layers format, with weights in uint8 (drift" in words
    )
    _, *pasted = shlex.split(out.splitlines()[-1])
    assert "--tfjs-model" not in pasted and "--keep-float" in pasted
    assert command(*pasted)[0] == 0


def test_where_the_published_converter_errs_pychecks_conversion_is_tried_and_printed(
    artifacts: Path, only: Only, tmp_path: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    only("conversion", "flags")
    program = tmp_path / "python"  # in place of the published converter: its last word is the folder
    program.write_text(f'#!/bin/sh\nfor folder; do :; done\ncp -r {artifacts / "wrong"} "$folder"\n')
    program.chmod(0o755)
    converter = PublishedConverter(str(program), "4.22.0", "2.19.0")
    monkeypatch.setattr(source, "published_converter", lambda cache: converter)
    monkeypatch.setattr(source, "find_published", lambda cache: converter)
    given = f"compare {MODELS / 'cnn.keras'} {MODELS / 'cnn_inputs.npy'} --converter tensorflowjs"
    code, out, _ = command(*shlex.split(given), "--runtime", "chromium:wasm", "--try-remedies")
    assert code == 1
    words = " ".join(out.split())
    assert "chromium:wasm the model converted with pycheck, in the layers format effect max error" in words
    assert "in place of the artifact of --converter tensorflowjs" in words
    _, *pasted = shlex.split(out.splitlines()[-1])
    assert "--converter" not in pasted
    assert command(*pasted)[0] == 0


def test_a_texture_that_is_too_large_is_cured_by_one_sample_at_a_time_or_by_a_convolution_without_a_large_matrix(
    only: Only,
) -> None:
    import keras

    only("batch", "flags")
    image = keras.Input((48, 48, 4))
    pooled = keras.layers.GlobalAveragePooling2D()
    plain = keras.Model(image, keras.layers.Activation("relu")(image))
    convolved = keras.Model(image, pooled(keras.layers.Conv2D(4, 5, padding="same", name="edges")(image)))
    x = np.random.default_rng(0).normal(size=(4, 48, 48, 4)).astype("f4")
    # A GPU of small textures: a sample fits, four do not, nor do the windows of a convolution as one matrix.
    how = {"runtimes": ["chromium:webgl"], "flags": {"WEBGL_MAX_TEXTURE_SIZE": 128}, "try_remedies": True}
    (one,) = [r for r in session.compare(plain, x, **how).remedies if r.worked]
    assert (one.kind, one.options, one.trial_count) == ("batch", ("--batch-size", "1"), 1)
    report = session.compare(convolved, x[:1], **how)
    (flag,) = [r for r in report.remedies if r.worked]
    assert flag.options == ("--flag", "WEBGL_CONV_IM2COL=false")
    assert flag.trial_count == 1
