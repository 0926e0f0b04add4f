"""Tells an artifact that contradicts itself from all else that fails while power is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ArtifactFileError, NotExecutableError


class Contradiction(Exception):
    """The artifact's shapes, types or names do not fit together; the cause says which."""


@contextmanager
def of_artifact() -> Iterator[None]:
    """What reads the artifact, or runs it as it is: Contradiction for an error that is of the artifact's own."""
    try:
        yield
    except Exception as error:
        # tf.errors.InvalidArgumentError by its name: TensorFlow is not imported here.
        own = isinstance(error, ArtifactFileError | ValueError) or type(error).__name__ == "InvalidArgumentError"
        if own and not isinstance(error, NotExecutableError):
            raise Contradiction from error
        raise
