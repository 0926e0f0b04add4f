"""Reads artifacts in layers format as tfjs-layers does, and runs them with the layers of Keras 2."""
