"""Converts any model to a TF.js graph model: simplifies, rewrites to operations of TF.js, optimizes, and checks it."""
