"""Reads an untrusted TF.js model.json into a graph that TensorFlow executes."""

from __future__ import annotations

from .executable import ArtifactGraph, Point
from .opening import read_artifact
