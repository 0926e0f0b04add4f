"""What is converted computes in tfjs-layers what it computes in Keras, and the artifact says what it is.

Layers, models and the table of layers stand in one module, since all of them run in one process of Node.
"""

from __future__ import annotations

import importlib
import inspect
import json

import numpy as np
import pytest

from pycheck.artifact.layers.table import RULES
from pycheck.conversion.layers import convert_layers, unsupported
from pycheck.conversion.layers.site import plain
from pycheck.errors import ConversionError

from ..conftest import more
from .cases import ALIKE
from .conftest import Bench, randomize
from .models import MODELS

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", [case.name for case in ALIKE])
def test_tfjs_computes_the_same(outcomes, name):
    outcome = outcomes[name]
    assert outcome.error is None, outcome.error
    assert_alike(outcome)


def assert_alike(outcome, tolerance=1e-5):
    assert len(outcome.got) == len(outcome.expected)
    for got, expected in zip(outcome.got, outcome.expected, strict=True):
        assert got.shape == expected.shape
        scale = float(np.abs(expected).max())
        assert scale > 0 and np.isfinite(expected).all(), "the case shows nothing"
        assert float(np.abs(got - expected).max()) <= tolerance * scale


@pytest.mark.parametrize("name", MODELS)
def test_the_model_computes_the_same(outcomes, name):
    outcome = outcomes[name]
    assert outcome.error is None, outcome.error
    quantized = name.endswith("quantized_to_float16")
    assert_alike(outcome, tolerance=1e-2 if quantized else 1e-5)


def _arguments_tried(outcomes, class_name):
    """Arguments of a class that some case sets to another value than the constructor's default."""
    tried = set()
    for case in ALIKE:
        for layer in _all_layers(outcomes[case.name].model):
            if type(layer).__name__ != class_name:
                continue
            parameters = {}
            for base in reversed(type(layer).__mro__):
                if "__init__" in vars(base):
                    parameters |= inspect.signature(base.__init__).parameters
            for name, value in layer.get_config().items():
                default = parameters[name].default if name in parameters else inspect.Parameter.empty
                function = getattr(layer, name, None)
                if name.endswith("activation") and getattr(function, "__name__", None) == default:
                    continue
                if plain(value) != plain(default):
                    tried.add(name)
    return tried


def _all_layers(model):
    for layer in model.layers:
        yield layer
        for inner in ("layer", "forward_layer"):
            if hasattr(layer, inner):
                yield getattr(layer, inner)


@pytest.mark.parametrize("class_name", sorted(set(RULES)))
def test_every_argument_that_is_passed_on_is_tried_at_another_value_than_its_default(outcomes, class_name):
    rule = RULES[class_name]
    tried = _arguments_tried(outcomes, class_name)
    renamed = set(rule.renamed.values())
    named_alike = {name for name in rule.passed if name not in tried}
    assert not named_alike
    assert not rule.renamed or tried & (set(rule.renamed) | renamed)


def test_nothing_that_the_converter_writes_is_said_to_be_misread(outcomes):
    """A kernel that wasm gets wrong is another matter: the model is read as it was written."""
    misread = {name: [fault for fault in outcome.faults if not fault.broken] for name, outcome in outcomes.items()}
    assert len(misread) > 100
    assert {name: faults for name, faults in misread.items() if faults} == {}


@pytest.fixture(scope="module")
def refused_model():
    import keras
    from keras import layers as L

    x = L.Input((6, 4), name="x")
    y = L.GRU(3, return_sequences=True, name="first")(x)
    y = L.Dense(3, name="fine")(y)
    return keras.Model(x, L.Attention(name="second")([y, y]))


def test_unsupported_names_all_layers_at_once_with_their_classes(refused_model):
    first, second = unsupported(refused_model)
    assert first.startswith("first (GRU): reset_after=True")
    assert second.startswith("second (Attention): tfjs-layers has no Attention")


def test_no_layer_is_blamed_for_the_mask_that_a_refused_one_would_have_handed_on():
    import keras
    from keras import layers as L

    x = L.Input((6,), dtype="int32")
    y = L.Bidirectional(L.LSTM(3, return_sequences=True), name="refused")(L.Embedding(7, 4, mask_zero=True)(x))
    y = L.LSTM(3, name="fine")(L.LSTM(3, return_sequences=True, name="fine_too")(y))
    (problem,) = unsupported(keras.Model(x, y))
    assert problem.startswith("refused (Bidirectional): Keras returns zeros at masked steps")


def test_conversion_of_an_unsupported_model_raises_with_all_reasons_and_writes_nothing(refused_model, tmp_path):
    with pytest.raises(ConversionError) as raised:
        convert_layers(refused_model, tmp_path / "out")
    assert all(problem in str(raised.value) for problem in unsupported(refused_model))
    assert not (tmp_path / "out").exists()


def test_a_layer_in_a_nested_model_is_named_by_its_path():
    import keras
    from keras import layers as L

    inner = keras.Sequential([L.Input((4,)), L.UnitNormalization(name="unit")], name="inner")
    middle = keras.Sequential([L.Input((4,)), inner], name="middle")
    assert unsupported(keras.Sequential([L.Input((4,)), middle]))[0].startswith("middle/inner/unit (UnitNorm")


def test_inputs_and_outputs_are_named_in_the_order_of_tfjs(outcomes):
    outcome = outcomes["two_inputs_two_outputs"]
    assert list(outcome.artifact.inputs) == outcome.input_names == ["b", "a"]
    assert list(outcome.artifact.outputs) == outcome.output_names == ["scores", "size"]


@pytest.mark.parametrize("name", ["an_output_that_is_an_input_and_one_given_twice", "shared_layers_and_a_shared_model"])
def test_no_two_outputs_have_one_name(outcomes, name):
    outcome = outcomes[name]
    assert list(outcome.artifact.outputs) == outcome.output_names
    assert len(set(outcome.output_names)) == len(outcome.output_names)


def test_a_rewriting_is_told(outcomes):
    notes = outcomes["Conv1D(5, 3, padding=causal) on (9, 4)"].artifact.notes
    assert any("causal padding as 2 zeros" in note for note in notes)


def test_a_rewriting_of_many_layers_is_told_once(tmp_path):
    import keras
    from keras import layers as L

    net = keras.Sequential([L.Input((4,)), *(L.Dense(3, activation="hard_silu", name=f"d{i}") for i in range(3))])
    (note,) = convert_layers(net, tmp_path / "out").notes
    assert note.startswith("3 layers (d0 (Dense), ...): hard_silu as x * clip")


def test_an_input_type_that_tfjs_lacks_is_told(tmp_path):
    import keras
    from keras import layers as L

    x = L.Input((5,), dtype="int64", name="ids")
    net = keras.Model(x, L.Embedding(7, 3)(x))
    assert convert_layers(net, tmp_path / "out").notes == ("ids (InputLayer): int64 as int32",)


def test_the_size_is_that_of_the_files(tmp_path, outcomes):
    artifact = convert_layers(outcomes["mobilenet_v2"].model, tmp_path / "out")
    assert artifact.size_bytes == sum(file.stat().st_size for file in (tmp_path / "out").iterdir())


def test_half_precision_weights_halve_the_shards(tmp_path, outcomes):
    model = outcomes["mobilenet_v2"].model
    whole, half = (convert_layers(model, tmp_path / q, q) for q in ("none", "float16"))
    weights = [w["quantization"]["dtype"] for g in json.loads((tmp_path / "float16/model.json").read_text())
               ["weightsManifest"] for w in g["weights"] if "quantization" in w]  # fmt: skip
    assert set(weights) == {"float16"}
    assert half.size_bytes < 0.7 * whole.size_bytes


# Keras 3 refuses to load a recurrent layer of Keras 2, whose time_major it does not know.
@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("keras_2_convolutional_network", "keras"),
        *more(("keras_2_convolutional_network", "tf_keras"), ("keras_2_masked_text_classifier", "tf_keras")),
    ],
)
def test_an_h5_file_of_keras_2_converts_as_either_library_loads_it(outcomes, tmp_path, name, library):
    outcomes[name].model.save(tmp_path / "model.h5")
    loaded = importlib.import_module(library).models.load_model(tmp_path / "model.h5", compile=False)
    shape = outcomes[name].model.input_shape[1:]
    bench = Bench(tmp_path)
    bench.add("loaded", loaded, [np.random.default_rng(3).integers(0, 7, (3, *shape)).astype(np.float32)])
    outcome = bench.run()["loaded"]
    assert outcome.error is None, outcome.error
    assert_alike(outcome)


def test_a_functional_model_with_a_training_step_of_its_own_converts(tmp_path):
    import keras
    from keras import layers as L

    class Trained(keras.Model):
        def train_step(self, data):
            return {}

    x = L.Input((3,))
    assert unsupported(randomize(Trained(x, L.Dense(2)(x)))) == []


def test_keras_3_ignores_the_training_flag_of_a_call_when_it_predicts(tmp_path):
    import keras
    from keras import layers as L

    x = L.Input((8,))
    net = keras.Model(x, L.Dropout(0.5)(x, training=True))
    bench = Bench(tmp_path)
    bench.add("dropout", net, [np.ones((3, 8), np.float32)])
    assert_alike(bench.run()["dropout"])


def test_a_changed_weight_shows(tmp_path, outcomes):
    """The comparison that all of these tests rest on sees one kernel scaled by 1.001."""
    model = outcomes["convolutional_network"].model
    inputs = [np.random.default_rng(0).normal(0, 1, (3, 12, 12, 3)).astype(np.float32)]
    bench = Bench(tmp_path)
    bench.add("model", model, inputs)
    kernel = model.layers[-1].kernel
    kernel.assign(kernel * 1.001)
    bench.pending["model"].expected[0] = np.asarray(model(inputs[0], training=False))
    outcome = bench.run()["model"]
    kernel.assign(kernel / 1.001)
    with pytest.raises(AssertionError):
        assert_alike(outcome)
