"""What is raised, and how it reads, when tfjs-layers cannot compute what a Keras layer does."""

from __future__ import annotations


class RefusedError(Exception):
    """A layer, or one call of it, that has no equal in tfjs-layers; the message is the reason."""


def lacks(class_name: str) -> RefusedError:
    """The reason for a class that has no counterpart and no exact rewriting."""
    return RefusedError(f"tfjs-layers has no {class_name}")
