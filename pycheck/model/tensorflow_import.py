"""Import TensorFlow quietly, with TensorFlow as Keras's backend."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from ..errors import ModelFileError
from ..process import without_optional_imports
from ..quiet import without_native_noise


def import_tensorflow() -> Any:
    """The tensorflow module; Keras, wherever it is imported later, runs on TensorFlow.

    Raises ModelFileError when Keras already runs on another backend in this process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow decides by the processor; only with oneDNN does it convolve channels-first on a CPU at all.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Else oneDNN's kernels take memory from a pool that grows to the largest need of the process and never shrinks.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    if "tensorflow" not in sys.modules:
        with without_native_noise(), without_optional_imports():
            import tensorflow
        tensorflow.get_logger().setLevel(logging.ERROR)
        logging.getLogger("absl").setLevel(logging.ERROR)
    with without_optional_imports():
        import keras

    if (backend := keras.config.backend()) != "tensorflow":
        raise ModelFileError(
            f"Keras runs on {backend} in this process; pycheck compares TensorFlow with TensorFlow.js.",
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported.",
        )
    return sys.modules["tensorflow"]
