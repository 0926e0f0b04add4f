"""Artifacts in graph format: read into a GraphDef that TensorFlow runs."""
