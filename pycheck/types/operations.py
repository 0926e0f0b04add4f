"""The names of LiteRT's operations in TensorFlow, by which rules about operations apply to both."""

from __future__ import annotations

#: Those whose names differ in more than the way of writing, or by a version.
_OTHER = {
    "ADD": "AddV2",
    "AVERAGE_POOL_2D": "AvgPool",
    "BATCH_MATMUL": "BatchMatMulV2",
    "CONV_2D": "Conv2D",
    "CONV_3D": "Conv3D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2dNative",
    "DIV": "RealDiv",
    "FULLY_CONNECTED": "MatMul",
    "LOGISTIC": "Sigmoid",
    "REDUCE_MAX": "Max",
    "REDUCE_MIN": "Min",
    "SELECT_V2": "SelectV2",
    "TRANSPOSE_CONV": "Conv2DTranspose",
}


#: Operations of TensorFlow and classes of layers in capitals.
_SAME = frozenset({"ELU", "FFT", "GRU", "IFFT", "IRFFT", "LSTM", "RFFT", "RNN"})


def tensorflow_name(op: str) -> str:
    """Return TensorFlow's name of an operation such as LEAKY_RELU: LeakyRelu. Other names stay."""
    if not op.isupper() or op in _SAME:
        return op
    return _OTHER.get(op) or "".join(part.capitalize() for part in op.split("_"))
