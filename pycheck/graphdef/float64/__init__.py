"""Rewrites a float32 graph so that it computes in float64."""
