"""Imports TensorFlow without its messages, with TensorFlow as Keras's backend."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import nullcontext
from functools import partial
from typing import Any

from ..errors import InstallationError
from ..system import fatal_signals, installed, process
from ..system.process import without_optional_imports
from ..system.quiet import quiet_failure, without_native_noise


def import_tensorflow() -> Any:
    """Import TensorFlow; Keras then runs on TensorFlow, wherever it is imported later.

    InstallationError if TensorFlow or Keras is missing, does not fit or cannot be imported, or if Keras runs on a
    different backend in this process.
    """
    if "tensorflow" not in sys.modules and (problem := installed.tensorflow_problem()):
        raise problem
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By default this depends on the processor; without oneDNN, TensorFlow has no channels-first convolution on a CPU.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # By default oneDNN's kernels use a memory pool that grows to the largest need of the process and never shrinks.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    _choose_backend()
    if "tensorflow" not in sys.modules:
        if process.own:  # in a process of others, signals belong to them
            fatal_signals.tell(partial(installed.killed, "tensorflow"))
        with installed.importing("tensorflow"), without_native_noise(), without_optional_imports():
            with quiet_failure() if process.own else nullcontext():
                import tensorflow

            tensorflow.config.list_physical_devices()  # the search for GPUs prints messages, so it runs here
        if process.own:
            fatal_signals.tell(fatal_signals.crashed)
        tensorflow.get_logger().setLevel(logging.ERROR)
        logging.getLogger("absl").setLevel(logging.ERROR)
    with installed.importing("keras"), without_optional_imports():
        import keras

        backend = keras.config.backend()
    if backend != "tensorflow":
        raise _other_backend(f"Keras runs on {backend} in this process")
    return sys.modules["tensorflow"]


def _choose_backend() -> None:
    """Set the backend of Keras before its import; in a process of others, keep the user's choice."""
    if "keras" in sys.modules:
        return
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen != "tensorflow" and not process.own:
        raise _other_backend(f"KERAS_BACKEND={chosen} is set")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def _other_backend(seen: str) -> InstallationError:
    return InstallationError(
        f"{seen}. pycheck compares TensorFlow with TensorFlow.js.",
        "Set KERAS_BACKEND=tensorflow before you import Keras. Or save the model, and run pycheck compare on the file: "
        "Keras 3 files run on every backend.",
    )
