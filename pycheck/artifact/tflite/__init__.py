"""Reads, checks, edits and cuts .tflite files, without TensorFlow."""

from .checks import Obstacle, check_for_litert_js, obstacles, state_notes, stateful_operations
from .cutting import part
from .editing import adapt, own_outputs, sign
from .model import Operation, Port, Tensor, TfliteModel, read_tflite

__all__ = [
    "Obstacle",
    "Operation",
    "Port",
    "Tensor",
    "TfliteModel",
    "adapt",
    "check_for_litert_js",
    "obstacles",
    "own_outputs",
    "part",
    "read_tflite",
    "sign",
    "state_notes",
    "stateful_operations",
]
