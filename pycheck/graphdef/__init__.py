"""Reads, rewrites and executes GraphDefs, the graphs of TensorFlow."""
