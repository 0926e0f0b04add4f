"""Runs the model and its artifact in Python with TensorFlow, in float32 and float64."""
