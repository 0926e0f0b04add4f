"""How many samples are traced, and on how much memory, if nobody says so."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pycheck.artifact import Point
from pycheck.tracing import groups
from pycheck.tracing.probing import Probed
from pycheck.tracing.trace import usual_samples

#: The elements of one sample of a few values in a row.
CONVOLUTIONS = [256 * 256 * 3, 256 * 256 * 32, 128 * 128 * 32, 128 * 128 * 64, 64 * 64 * 64]
WIDE = [400 * 400 * 3, 400 * 400 * 64, 8]
DENSE = [2048, 2048, 10]
HUGE = [1 << 20, 1 << 26, 8]


@pytest.mark.parametrize("probed_samples", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "runtimes", "expected"),
    [
        (CONVOLUTIONS, 1, 6),
        (CONVOLUTIONS, 4, 3),
        (WIDE, 1, 1),
        (WIDE, 3, 1),
        (DENSE, 3, 8),
    ],
    ids=["convolutions", "many runtimes", "wide", "wide, many runtimes", "dense"],
)
def test_no_more_samples_are_drawn_than_leave_every_point_in_memory(
    sizes: list[int], runtimes: int, expected: int, probed_samples: int
) -> None:
    probed, memory = _probed(sizes, probed_samples, runtimes)
    wanted = usual_samples(probed, memory, runtimes=runtimes)
    assert wanted == max(expected, probed_samples)
    traced = max(wanted, probed_samples)
    plan = groups.cut(probed.points, probed.elements(traced), runtimes=runtimes, memory_bytes=memory)
    assert plan.too_large == {}
    assert memory <= 1 << 30


def test_a_value_that_is_too_large_for_one_sample_is_all_that_is_left_out() -> None:
    probed, memory = _probed(HUGE, 1, 1)
    assert usual_samples(probed, memory, runtimes=1) == 1
    assert [*groups.cut(probed.points, probed.elements(1), runtimes=1, memory_bytes=memory).too_large] == ["v1"]


def _probed(sizes: list[int], samples: int, runtimes: int) -> tuple[Probed, int]:
    """The first of the values is the input; with the memory for that."""
    names = ["x", *(f"v{number}" for number in range(1, len(sizes)))]
    points = tuple(Point(name, "Conv2D", (read,), name, f"{name}:0", False) for read, name in pairwise(names))
    elements = {name: size * samples for name, size in zip(names, sizes, strict=True)}
    probed = Probed(
        (*points, Point("text", "Cast", ("x",), "text", "text:0", False)), elements, samples, {"text": "no"}
    )
    memory = groups.usual_memory(probed.points, elements, runtimes=runtimes)
    return Probed(points, elements, samples, {}), memory
