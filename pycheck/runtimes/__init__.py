"""Runs models: in native TensorFlow, and in TF.js in a browser."""
