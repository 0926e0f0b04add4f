"""Imports Keras 2, the package tf_keras, which runs models that Keras 2 wrote and TF.js layers models."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from . import installed
from .process import without_optional_imports


def import_tf_keras() -> Any:
    """Import tf_keras. InstallationError if it is missing, does not fit TensorFlow, or cannot be imported."""
    if "tf_keras" not in sys.modules and (problem := installed.tf_keras_problem()):
        raise problem
    with installed.importing("tf_keras"), without_optional_imports():
        return importlib.import_module("tf_keras")
