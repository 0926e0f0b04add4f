"""Rewrites a float32 graph into one that truly computes in float64."""
