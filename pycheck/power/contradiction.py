"""Distinguishes an artifact that contradicts itself from other errors while power is measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ArtifactFileError, NotExecutableError

#: Lines of TensorFlow's messages that precede the reason.
_PREAMBLE = re.compile(r"Graph execution error|Detected at node|Node: |<stack traces unavailable>|\[\[\{\{node")
#: The definition of a node, which TensorFlow appends to the reason.
_DUMP = re.compile(r"\s+for '\{\{node .*", re.DOTALL)
_NODE = re.compile(r"\{\{node ([^}]+)\}\}")


class Contradiction(Exception):
    """The error of an artifact whose shapes, types or names do not fit together; `__cause__` has the details."""


@contextmanager
def of_artifact() -> Iterator[None]:
    """Convert errors while the artifact is read or run: Contradiction if the artifact itself causes the error."""
    try:
        yield
    except Exception as error:
        # tf.errors.InvalidArgumentError is compared by name, because TensorFlow is not imported here.
        own = isinstance(error, ArtifactFileError | ValueError) or type(error).__name__ == "InvalidArgumentError"
        if own and not isinstance(error, NotExecutableError):
            raise Contradiction from error
        raise


def reason_of(error: Exception) -> str:
    """Return the line of an error with the reason and the node, without TensorFlow's dump of that node."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _PREAMBLE.match(line)] or [type(error).__name__]
    reason = _DUMP.sub("", told[0])
    node = _NODE.search(str(error))
    where = f" (node {node[1].removesuffix('/fused_0')})" if node and node[1] not in reason else ""
    return reason[:300].rstrip(". ") + where
