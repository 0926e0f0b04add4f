"""Lists the Keras classes that need a rewrite in addition to the table."""

from __future__ import annotations

from collections.abc import Callable

from . import rewrites_activation as activation
from . import rewrites_conv as conv
from . import rewrites_merge as merge
from . import rewrites_norm as norm
from . import rewrites_recurrent as recurrent
from . import rewrites_shape as shape
from .site import Site
from .target import Ref

Rewrite = Callable[[Site], list[Ref]]

REWRITES: dict[str, Rewrite] = {
    "Activation": activation.activation_layer,
    "Add": merge.merge,
    "Average": merge.merge,
    "AveragePooling3D": conv.in_3d,
    "BatchNormalization": norm.batch_normalization,
    "Bidirectional": recurrent.bidirectional,
    "CenterCrop": shape.center_crop,
    "Concatenate": shape.concatenate,
    "Conv1D": conv.conv_1d,
    "Conv1DTranspose": conv.conv_1d_transpose,
    "Conv2D": conv.conv_2d,
    "Conv2DTranspose": conv.with_bias,
    "Conv3D": conv.in_3d,
    "Conv3DTranspose": conv.in_3d,
    "ConvLSTM2D": recurrent.recurrent,
    "Cropping1D": shape.cropping_1d,
    "CustomScaleLayer": merge.custom_scale,
    "DepthwiseConv1D": conv.depthwise_conv_1d,
    "DepthwiseConv2D": conv.padded_2d,
    "Dot": merge.dot,
    "Flatten": shape.flatten,
    "GRU": recurrent.recurrent,
    "GlobalAveragePooling1D": shape.global_pooling,
    "GlobalAveragePooling2D": shape.global_pooling,
    "GlobalAveragePooling3D": shape.global_pooling,
    "GlobalMaxPooling1D": shape.global_pooling,
    "GlobalMaxPooling2D": shape.global_pooling,
    "GlobalMaxPooling3D": shape.global_pooling,
    "GroupNormalization": norm.group_normalization,
    "LSTM": recurrent.recurrent,
    "LayerScale": norm.layer_scale,
    "LayerNormalization": norm.layer_normalization,
    "MaxPooling3D": conv.in_3d,
    "Maximum": merge.merge,
    "Minimum": merge.merge,
    "Multiply": merge.merge,
    "Normalization": norm.normalization,
    "RNN": recurrent.rnn,
    "Rescaling": shape.rescaling,
    "ReLU": activation.relu,
    "Reshape": shape.reshape_layer,
    "Resizing": shape.resizing,
    "SeparableConv2D": conv.padded_2d,
    "SeparableConv1D": conv.separable_conv_1d,
    "SimpleRNN": recurrent.recurrent,
    "Softmax": activation.softmax,
    "Subtract": merge.subtract,
    "UpSampling1D": shape.up_sampling_1d,
    "ZeroPadding1D": shape.zero_padding_1d,
}
