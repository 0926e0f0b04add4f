"""The error for a Keras layer that tfjs-layers cannot compute, and its texts."""

from __future__ import annotations


class RefusedError(Exception):
    """The error for a layer, or one call of it, without a counterpart in tfjs-layers; the message is the reason."""


def lacks(class_name: str) -> RefusedError:
    """Return the reason for a class without a counterpart and without an exact rewrite."""
    return RefusedError(f"tfjs-layers has no {class_name}")
