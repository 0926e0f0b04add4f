"""Reads, checks, edits and cuts .tflite files, without TensorFlow."""

from .checks import Obstacle, check_for_litert_js, obstacles, state_notes, stateful_operations
from .cutting import Cut, cut, with_outputs
from .editing import adapt, own_outputs, sign
from .model import Operation, Port, Tensor, TfliteModel, read_tflite

__all__ = [
    "Cut",
    "Obstacle",
    "Operation",
    "Port",
    "Tensor",
    "TfliteModel",
    "adapt",
    "check_for_litert_js",
    "cut",
    "obstacles",
    "own_outputs",
    "read_tflite",
    "sign",
    "state_notes",
    "stateful_operations",
    "with_outputs",
]
