"""Tells an artifact that contradicts itself from all else that fails while power is measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ArtifactFileError, NotExecutableError

#: Lines of TensorFlow's messages that only announce the reason.
_PREAMBLE = re.compile(r"Graph execution error|Detected at node|Node: |<stack traces unavailable>|\[\[\{\{node")
#: The definition of a node, which TensorFlow appends to the reason.
_DUMP = re.compile(r"\s+for '\{\{node .*", re.DOTALL)
_NODE = re.compile(r"\{\{node ([^}]+)\}\}")


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


def reason_of(error: Exception) -> str:
    """The line that says why, with the node, and without TensorFlow's dump of that node."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not _PREAMBLE.match(line)] or [type(error).__name__]
    reason = _DUMP.sub("", told[0])
    node = _NODE.search(str(error))
    where = f" (node {node[1].removesuffix('/fused_0')})" if node and node[1] not in reason else ""
    return reason[:300].rstrip(". ") + where
