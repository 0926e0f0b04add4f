"""What is converted computes in TF.js what it computes in TensorFlow, and the artifact says what it is.

Models and operations stand in one module, since all of them run in one process of Node.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pycheck.model import load

from .conftest import BACKENDS, Bench, assert_alike
from .models import MODELS, chain, mobilenet, randomize
from .operations import GROUPS, names_of

pytestmark = pytest.mark.real


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [*MODELS, "control flow"])
def test_the_model_computes_the_same(outcomes, name, backend):
    outcome = outcomes[name]
    assert backend not in outcome.errors, outcome.errors[backend]
    for output in outcome.expected:
        assert_alike(outcome, backend, output)


@pytest.mark.exhaustive
def test_a_whole_mobilenet_computes_the_same(tmp_path):
    bench = Bench(tmp_path)
    bench.add("mobilenet", lambda: load(randomize(mobilenet())))
    outcome = bench.run()["mobilenet"]
    for backend in BACKENDS:
        (output,) = outcome.expected
        assert_alike(outcome, backend, output)


# Rounding to float16 moves each weight by up to 2**-11 of itself, and the model has a few layers of them.
@pytest.mark.parametrize(("quantize", "tolerance"), [("float16", 4 * 2**-11), ("uint16", 1e-3), ("uint8", 0.1)])
def test_quantized_weights_cost_what_their_bits_cost(outcomes, quantize, tolerance):
    outcome = outcomes[quantize]
    assert_alike(outcome, "cpu", "scores", tolerance)
    with pytest.raises(AssertionError):
        assert_alike(outcome, "cpu", "scores", 1e-6)
    assert outcome.artifact.size_bytes < outcomes["cnn"].artifact.size_bytes


CASES = [
    pytest.param(group, backend, name, id=f"{name} of {group} on {backend}")
    for group, members in GROUPS.items()
    for backend in BACKENDS
    for name in members.functions
    if backend == "cpu" or name not in members.cpu_only
]


@pytest.mark.parametrize(("group", "backend", "name"), CASES)
def test_the_operation_computes_the_same(outcomes, group, backend, name):
    part = "cpu alone" if name in GROUPS[group].cpu_only else "both"
    position = names_of(GROUPS[group], part).index(name)
    assert_alike(outcomes[f"{group}, {part}"], backend, f"output_{position}")


def topology(outcome):
    return json.loads((outcome.artifact.folder / "model.json").read_text())["modelTopology"]


def operations(outcome):
    graph = topology(outcome)
    functions = graph.get("library", {}).get("function", [])
    return {node["op"] for part in [graph["node"], *(f["nodeDef"] for f in functions)] for node in part}


def test_names_and_order_of_inputs_and_outputs_survive(outcomes):
    outcome = outcomes["two inputs, two outputs"]
    assert outcome.names == {"inputs": ["right", "left"], "outputs": ["product", "total"]}
    assert list(outcome.artifact.input_names) == ["right", "left"]
    assert list(outcome.artifact.output_names) == ["product", "total"]


def test_the_artifact_is_described_wholly(outcomes):
    artifact = outcomes["two inputs, two outputs"].artifact
    assert (artifact.format, artifact.quantization, artifact.reason) == ("graph", "none", "")
    assert artifact.size_bytes == sum(file.stat().st_size for file in artifact.folder.iterdir())
    assert re.fullmatch(r"pycheck [\w.]+, tensorflow[\w-]* [\w.]+", artifact.converter)
    assert artifact.inputs == tuple(artifact.input_names.values())
    assert artifact.outputs == tuple(artifact.output_names.values())


def test_a_rewrite_is_noted_with_its_formula_and_accuracy(outcomes):
    notes = " ".join(outcomes["activations"].artifact.notes)
    assert "Erfc -> t exp(-x^2) P(t)" in notes and "relative error below 2e-7" in notes


def test_batch_norms_and_activations_are_merged_into_convolutions(outcomes):
    assert operations(outcomes["batch norms behind convolutions"]) == {
        *("Const", "FusedDepthwiseConv2dNative", "Identity", "Placeholder", "_FusedConv2D")
    }


def test_a_product_that_somebody_else_reads_keeps_its_kernel(outcomes):
    assert {"Conv2D", "Mul"} <= operations(outcomes["product that somebody else reads"])


def test_a_prelu_is_recognized(outcomes):
    assert "Prelu" in operations(outcomes["prelu"])


def test_einsum_is_gone_so_that_attention_runs_on_wasm(outcomes):
    assert "Einsum" not in operations(outcomes["transformer with a causal mask"])


def test_an_operation_that_a_backend_lacks_is_noted(outcomes):
    notes = " ".join(outcomes["floats, cpu alone"].artifact.notes)
    assert "the wasm backend of TF.js has no kernel for" in notes and "RFFT" in notes


@pytest.mark.parametrize(("name", "asynchronous"), [("lstm", True), ("self attention", False)])
def test_a_loop_is_noted_with_how_to_run_it(outcomes, name, asynchronous):
    assert any("executeAsync" in note for note in outcomes[name].artifact.notes) == asynchronous


def test_layer_names_can_be_read_from_node_names(outcomes):
    names = [node["name"] for node in topology(outcomes["self attention"])["node"]]
    assert any("attention_1/" in name for name in names)


def test_loops_stay_functions(outcomes):
    graph = topology(outcomes["lstm"])
    assert "While" in {node["op"] for node in graph["node"]}
    assert len(graph["library"]["function"]) == 2


@pytest.mark.exhaustive
def test_converting_twice_gives_the_same_bytes(tmp_path):
    import keras

    from pycheck.conversion import convert

    def converted(name):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        return convert(load(randomize(MODELS["masking"]())), tmp_path / name, format="graph").folder

    first, second = converted("first"), converted("second")
    assert sorted(file.name for file in first.iterdir()) == sorted(file.name for file in second.iterdir())
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_quantization_covers_kernels_and_leaves_single_numbers(outcomes):
    model_json = json.loads((outcomes["uint8"].artifact.folder / "model.json").read_text())
    weights = [weight for group in model_json["weightsManifest"] for weight in group["weights"]]
    for weight in weights:
        whole = weight["dtype"] != "float32" or np.prod(weight["shape"]) < 2
        assert ("quantization" not in weight) == whole, weight["name"]


def test_a_tensor_that_half_floats_cannot_hold_is_kept_and_noted(tmp_path):
    from keras import layers as L

    from pycheck.conversion import convert

    model = chain((4,), L.Dense(3, name="large"), L.Dense(2, name="small"))
    model.get_layer("large").kernel.assign(np.full((4, 3), 1e5, np.float32))
    artifact = convert(load(model), tmp_path / "out", format="graph", quantize="float16")
    assert any("not quantized, because float16" in note and "large" in note for note in artifact.notes)


@pytest.mark.parametrize("precision", ["float16", "float64"])
def test_another_precision_than_float32_is_noted(tmp_path, precision):
    import keras
    from keras import layers as L

    from pycheck.conversion import convert

    model = chain((4,), L.Dense(3, dtype=keras.DTypePolicy(precision)))
    artifact = convert(load(model), tmp_path / "out", format="graph")
    assert any(note.startswith(f"{precision} -> float32") for note in artifact.notes)
