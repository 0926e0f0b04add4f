"""Artifacts in layers format: read as tfjs-layers reads them, run with the layers of Keras 2."""
