"""What is an error of the artifact's own, and which outputs can be put together from separate samples."""

from __future__ import annotations

import pytest

from pycheck.errors import ArtifactFileError, NotExecutableError
from pycheck.power.contradiction import Contradiction, of_artifact
from pycheck.types import Signature, TensorSpec


class InvalidArgumentError(Exception):
    """Named as that of TensorFlow."""


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (ValueError("Shapes must be equal"), True),
        (InvalidArgumentError("Matrix size-incompatible"), True),
        (ArtifactFileError("no model.json"), True),
        (NotExecutableError("no kernel"), False),
        (MemoryError(), False),
        (RuntimeError("no kernel"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_what_reads_or_runs_the_artifact_is_told_by_its_kind(error: Exception, own: bool) -> None:
    with pytest.raises(Contradiction if own else type(error)) as caught, of_artifact():
        raise error
    assert (caught.value.__cause__ if own else caught.value) is error


@pytest.mark.parametrize(
    ("batch", "shapes", "joins"),
    [
        (None, [(None, 3)], True),
        (None, [(None,), (None, 4, 5)], True),
        (None, [(None, 3), (None, None)], False),
        (None, [(None, 8, None)], False),
        (4, [(4, 3)], False),
    ],
)
def test_samples_join_where_all_other_sizes_are_known(
    batch: int | None, shapes: list[tuple[int | None, ...]], joins: bool
) -> None:
    outputs = tuple(TensorSpec(f"y{number}", "float32", shape) for number, shape in enumerate(shapes))
    assert Signature((TensorSpec("x", "float32", (batch, 2)),), outputs).joins_samples is joins
    whole = TensorSpec("whole", "float32", (3,), has_sample_axis=False)
    assert not Signature((TensorSpec("x", "float32", (batch, 2)),), (*outputs, whole)).joins_samples
