"""Reads artifacts in graph format into a GraphDef that TensorFlow runs."""
