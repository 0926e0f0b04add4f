"""Which format a model gets, and the reason given."""

from __future__ import annotations

import pytest

from .conftest import saved_and_loaded
from .models import ControlFlow, chain

pytestmark = pytest.mark.real


@pytest.fixture
def dense():
    from keras import layers as L

    from pycheck.model import load

    return load(chain((4,), L.Dense(3, name="scores")))


@pytest.fixture
def normalized():
    from keras import layers as L

    from pycheck.model import load

    return load(chain((4,), L.RMSNormalization(name="scaled")))


def test_auto_takes_layers_where_tfjs_layers_has_every_layer(dense, tmp_path):
    from pycheck.conversion import convert

    artifact = convert(dense, tmp_path / "out")
    assert (artifact.format, artifact.reason) == ("layers", "tfjs-layers has every layer")
    assert list(artifact.output_names) == ["scores"]


def test_auto_takes_the_graph_otherwise_and_names_the_layer(normalized, tmp_path):
    from pycheck.conversion import convert

    artifact = convert(normalized, tmp_path / "out")
    assert artifact.format == "graph"
    assert "scaled" in artifact.reason


def test_a_chosen_format_needs_no_reason(dense, tmp_path):
    from pycheck.conversion import convert

    assert convert(dense, tmp_path / "layers", format="layers").reason == ""
    assert convert(dense, tmp_path / "graph", format="graph").reason == ""


def test_chosen_layers_that_tfjs_layers_lacks_are_refused_by_name(normalized, tmp_path):
    from pycheck.conversion import convert
    from pycheck.errors import ConversionError

    with pytest.raises(ConversionError, match="scaled"):
        convert(normalized, tmp_path / "out", format="layers")
    assert list(tmp_path.iterdir()) == []


def test_a_saved_model_becomes_a_graph_since_it_has_no_layers(tmp_path):
    from pycheck.conversion import convert
    from pycheck.errors import ConversionError

    model = saved_and_loaded(ControlFlow(), tmp_path / "saved")
    assert "no Keras layers" in convert(model, tmp_path / "out").reason
    with pytest.raises(ConversionError, match="no Keras layers"):
        convert(model, tmp_path / "other", format="layers")


def test_an_unknown_format_is_refused(dense, tmp_path):
    from pycheck.conversion import convert
    from pycheck.errors import ConversionError

    with pytest.raises(ConversionError, match="'onnx'"):
        convert(dense, tmp_path / "out", format="onnx")
