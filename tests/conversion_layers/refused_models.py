"""Models that tfjs-layers would load and compute otherwise, or not load; with words of the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MODELS: dict[str, tuple[Callable[[], Any], str]] = {}


def model(words: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def add(make: Callable[[], Any]) -> Callable[[], Any]:
        MODELS[make.__name__] = (make, words)
        return make

    return add


def _embedded() -> Any:
    from keras import layers as L

    x = L.Input((6,), dtype="int32")
    return x, L.Embedding(7, 4, mask_zero=True)(x)


@model("zeros at masked steps")
def bidirectional_sequences_with_a_mask() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.Bidirectional(L.LSTM(3, return_sequences=True))(y))


@model("would apply the mask of a different layer")
def a_recurrent_layer_without_mask_beside_one_with() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.LSTM(3)(L.RepeatVector(4)(L.LSTM(3)(y))))


@model("loses or changes the mask")
def a_mask_that_tfjs_loses_on_the_way() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.LSTM(3)(L.LeakyReLU()(y)))


@model("an explicit mask")
def a_mask_through_a_sum() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.LSTM(3)(L.Add()([y, y])))


@model("loses or changes the mask")
def a_mask_that_keras_drops_and_tfjs_keeps() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.LSTM(3)(y + y))


@model("a mask, which tfjs-layers ignores here")
def a_masked_mean() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    return keras.Model(x, L.GlobalAveragePooling1D()(y))


@model("an explicit mask")
def a_mask_given_by_hand() -> Any:
    import keras
    from keras import layers as L

    x, m = L.Input((6, 4)), L.Input((6,), dtype="bool")
    return keras.Model([x, m], L.LSTM(3)(x, mask=m))


@model("both a mask and an initial state")
def a_mask_and_an_initial_state() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    h = L.Input((3,))
    return keras.Model([x, h], L.SimpleRNN(3)(y, initial_state=h))


@model("propagate its initial state")
def an_initial_state_in_a_model_with_masks() -> Any:
    import keras
    from keras import layers as L

    x, y = _embedded()
    a, h = L.Input((6, 2)), L.Input((3,))
    masked = L.Masking()(a)
    return keras.Model([x, a, h], [L.Dense(2)(y), L.SimpleRNN(3)(L.Reshape((6, 2))(masked), initial_state=h)])


@model("keeps its state")
def a_stateful_layer() -> Any:
    import keras
    from keras import layers as L

    x = L.Input(batch_shape=(2, 6, 4))
    return keras.Model(x, L.LSTM(3, stateful=True)(x))


@model("keeps its state")
def a_stateful_stack_of_cells() -> Any:
    import keras
    from keras import layers as L

    x = L.Input(batch_shape=(2, 6, 4))
    return keras.Model(x, L.RNN([L.LSTMCell(3), L.LSTMCell(2)], stateful=True)(x))


@model("an explicit mask")
def a_mask_of_any_row_instead_of_any_channel() -> Any:
    import keras
    from keras import layers as L
    from keras import ops

    x = L.Input((4, 4))
    mask = ops.any(ops.not_equal(x, 0.0), axis=1)
    return keras.Model(x, L.LSTM(3)(L.Masking()(x), mask=mask))


@model("tfjs-layers has no MultiHeadAttention")
def a_layer_called_with_more_than_one_tensor() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((6, 4))
    return keras.Model(x, L.MultiHeadAttention(2, 3)(x, x))


@model("subclassed model")
def a_subclassed_model() -> Any:
    import keras

    class Doubled(keras.Model):
        def call(self, x):
            return 2 * x

    return Doubled()


@model("subclassed model")
def a_functional_model_with_a_call_of_its_own() -> Any:
    import keras
    from keras import layers as L

    class Doubled(keras.Model):
        def call(self, x):
            return 2 * super().call(x)

    x = L.Input((3,))
    return Doubled(x, L.Dense(2)(x))


@model("inner (Inner): it is a subclassed model")
def a_model_with_a_subclassed_model_in_it() -> Any:
    import keras
    from keras import layers as L

    class Inner(keras.Model):
        def call(self, x):
            return 2 * x

    return keras.Sequential([L.Input((3,)), Inner(name="inner")])


@model("never built")
def a_sequential_model_without_input_shape() -> Any:
    import keras
    from keras import layers as L

    return keras.Sequential([L.Dense(3)])


@model("mine (Mine): it is not a layer of Keras")
def a_custom_layer() -> Any:
    import keras
    from keras import layers as L

    class Mine(L.Dense):
        pass

    return keras.Sequential([L.Input((3,)), Mine(2, name="mine")])


@model("activation swish")
def a_custom_activation_with_the_name_of_a_known_one() -> Any:
    import keras
    from keras import layers as L

    def swish(x):
        return 2 * x

    return keras.Sequential([L.Input((3,)), L.Dense(2, activation=swish)])


@model("no Lambda")
def a_lambda_layer() -> Any:
    import keras
    from keras import layers as L

    return keras.Sequential([L.Input((3,)), L.Lambda(lambda x: 2 * x)])


@model("the operation Exp")
def an_operation_without_a_layer() -> Any:
    import keras
    from keras import layers as L
    from keras import ops

    x = L.Input((3,))
    return keras.Model(x, ops.exp(x))


@model("the operation GetItem")
def a_slice() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((3, 2))
    return keras.Model(x, x[:, 0])


@model("broadcasts differently")
def a_sum_of_tensors_of_other_ranks() -> Any:
    import keras
    from keras import layers as L

    x, y = L.Input((4, 5)), L.Input((5,))
    return keras.Model([x, y], x + y)


@model("division by a tensor")
def a_quotient() -> Any:
    import keras
    from keras import layers as L

    x, y = L.Input((4,)), L.Input((4,))
    return keras.Model([x, y], x / y)


@model("join or split samples")
def a_reshape_of_samples() -> Any:
    import keras
    from keras import layers as L
    from keras import ops

    x = L.Input((4, 5))
    return keras.Model(x, ops.reshape(x, (-1, 5)))


@model("approximate=True")
def an_approximate_gelu() -> Any:
    import keras
    from keras import layers as L
    from keras import ops

    x = L.Input((4,))
    return keras.Model(x, ops.gelu(x, approximate=True))


@model("int8_from_float32")
def a_layer_quantized_to_integers() -> Any:
    import keras
    from keras import layers as L

    net = keras.Sequential([L.Input((4,)), L.Dense(3)])
    net.quantize("int8")
    return net


@model("no string tensors")
def text() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((1,), dtype="string")
    return keras.Model(x, L.Reshape((1, 1))(x))


@model("sparse")
def a_sparse_input() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((4,), sparse=True)
    return keras.Model(x, L.Dense(2)(x))


@model("training=True")
def dropout_at_inference_in_keras_2() -> Any:
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((4,))
    return tf_keras.Model(x, L.Dropout(0.5)(x, training=True))


@model("extra arguments")
def a_softmax_over_another_axis_in_keras_2() -> Any:
    import tensorflow as tf
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((4, 5))
    return tf_keras.Model(x, tf.nn.softmax(x, 1))


@model("__operators__.getitem")
def a_slice_in_keras_2() -> Any:
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((4, 5))
    return tf_keras.Model(x, x[:, 0])


@model("loses or changes the mask")
def a_mask_through_a_sum_in_keras_2() -> Any:
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((6,))
    y = L.Embedding(7, 4, mask_zero=True)(x)
    return tf_keras.Model(x, L.LSTM(3)(L.Add()([y, y])))


@model("loses or changes the mask")
def a_mask_that_tfjs_loses_in_keras_2() -> Any:
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((6,))
    y = L.LeakyReLU()(L.Embedding(7, 4, mask_zero=True)(x))
    return tf_keras.Model(x, L.LSTM(3)(y))
