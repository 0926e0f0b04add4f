"""What cannot become a graph model is refused before anything is written, all at once and with its layers."""

from __future__ import annotations

import pytest

from .conftest import saved_and_loaded
from .models import Apply, chain

pytestmark = pytest.mark.real


@pytest.fixture
def refusal(tmp_path):
    """The message of a conversion that must fail, for a Keras model or a function of images."""
    from pycheck.conversion import convert
    from pycheck.errors import ConversionError

    def of(model):
        with pytest.raises(ConversionError) as caught:
            convert(model, tmp_path / "out", format="graph")
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    return of


@pytest.fixture
def refusal_of_images(refusal, tmp_path):
    import tensorflow as tf

    def of(function):
        module = tf.Module()
        spec = tf.TensorSpec([None, 6, 6, 3], tf.float32, name="x")
        module.serve = tf.function(lambda x: {"y": function(x)}, input_signature=[spec], autograph=False)
        return refusal(saved_and_loaded(module, tmp_path / "saved"))

    return of


def test_all_unsupported_operations_are_named_with_their_layers(refusal):
    import tensorflow as tf
    from keras import layers as L

    from pycheck.model import load

    model = chain(
        (4, 4, 4, 2),
        L.Conv3DTranspose(2, 2, name="deconvolution"),
        Apply(tf.math.lgamma, name="first_gamma"),
        Apply(tf.math.lgamma, name="second_gamma"),
    )
    message = refusal(load(model))
    assert "Conv3DBackpropInputV2: TF.js has no such operation, used by layer 'deconvolution'" in message
    assert "Lgamma: TF.js has no such operation, used by layer 'first_gamma', layer 'second_gamma'" in message


def test_an_operation_outside_of_layers_is_named_by_its_node_and_not_by_the_model(refusal):
    import keras

    from pycheck.model import load

    x = keras.Input((3, 3))
    message = refusal(load(keras.Model(x, keras.ops.linalg.det(x), name="whole")))
    assert "MatrixDeterminant: TF.js has no such operation, used by node whole" in message
    assert "layer 'whole'" not in message


def test_explicit_paddings_of_a_pooling_are_refused(refusal_of_images):
    import tensorflow as tf

    message = refusal_of_images(lambda x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]))
    assert "MaxPool: TF.js does not support explicit paddings" in message


def test_a_batch_norm_in_training_mode_is_refused(refusal_of_images):
    import tensorflow as tf

    def trained(x):
        ones = tf.ones([3])
        return tf.raw_ops.FusedBatchNormV3(x=x, scale=ones, offset=ones, mean=[], variance=[], is_training=True)[0]

    assert "FusedBatchNormV3: it computes batch statistics" in refusal_of_images(trained)


def test_channels_first_is_refused(refusal_of_images):
    import tensorflow as tf

    message = refusal_of_images(lambda x: tf.raw_ops.DepthToSpace(input=x[:, :4], block_size=2, data_format="NCHW"))
    assert "DepthToSpace: TF.js only supports channels_last, not NCHW" in message


def test_types_that_the_browser_has_not_are_refused(refusal_of_images):
    import tensorflow as tf

    message = refusal_of_images(lambda x: tf.cast(tf.cast(x, tf.int16) * 2, tf.float32))
    assert "TF.js has no type int16" in message


def test_an_integer_beyond_32_bits_is_refused(refusal_of_images):
    import tensorflow as tf

    message = refusal_of_images(lambda x: tf.cast(tf.cast(x, tf.int64) + 2**40, tf.float32))
    assert "1099511627776" in message and "32-bit" in message


@pytest.mark.parametrize("op", ["gather", "where", "transpose", "pad"])
def test_operations_that_take_no_text_in_tfjs_are_refused(refusal, tmp_path, op):
    import tensorflow as tf

    calls = {
        "gather": lambda x: tf.gather(x, [0], axis=1),
        "where": lambda x: tf.where(x == "a", x, "b"),
        "transpose": lambda x: tf.transpose(tf.concat([x, x], 1)),
        "pad": lambda x: tf.pad(x, [[0, 0], [1, 0]], constant_values="a"),
    }
    module = tf.Module()
    spec = tf.TensorSpec([None, 3], tf.string, name="x")
    hashed = tf.function(
        lambda x: {"y": tf.strings.to_hash_bucket_fast(calls[op](x), 9)}, input_signature=[spec], autograph=False
    )
    module.serve = hashed
    assert "TF.js does not support text here" in refusal(saved_and_loaded(module, tmp_path / "saved"))
