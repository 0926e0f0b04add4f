"""TensorFlow in Python: the model itself and its artifact, in float32 and float64."""
