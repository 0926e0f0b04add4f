"""Runs the stages in order: one model from its file to its report, with shared browsers and one TensorFlow."""
