"""The order of a trace and what it keeps, with runtimes that are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.errors import RuntimeFailedError, UsageError
from pycheck.tracing.measuring import role
from pycheck.tracing.tracer import Tracer
from pycheck.types import Array, Environment, NanPolicy, RuntimeId

#: x -> twice -> root -> negated, the middle one of which a backend gets wrong.
POINTS = tuple(
    Point(name, op, (read,), name, f"{name}:0", False)
    for name, op, read in (("twice", "Mul", "x"), ("root", "Sqrt", "twice"), ("negated", "Neg", "root"))
)
KERNELS: Mapping[str, Callable[[Array], Array]] = {"twice": lambda x: 2 * x, "root": np.sqrt, "negated": lambda x: -x}
X = np.linspace(1.0, 2.0, 24, dtype=np.float32).reshape(4, 6)


class Python:
    """Executes the points in one precision."""

    points = POINTS

    def __init__(self, dtype: str, kernels: Mapping[str, Callable[[Array], Array]] = KERNELS) -> None:
        self._dtype = dtype
        self._kernels = kernels

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        values = {name: value.astype(self._dtype) for name, value in feeds.items()}
        for point in POINTS:
            if point.name not in values and point.inputs[0] in values:
                values[point.name] = self._kernels[point.name](values[point.inputs[0]]).astype(self._dtype)
        return {name: values[name] for name in fetches}


class Page(Python):
    """A browser that dies at one of its calls."""

    environment = Environment("made up", float_bits=32)

    def __init__(self, kind: str, kernels: Mapping[str, Callable[[Array], Array]] = KERNELS, dies_at: int = 0) -> None:
        super().__init__("float32", kernels)
        self.id = RuntimeId("chromium", kind)
        self.is_alive = True
        self._calls_left = dies_at or 1000

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        self._calls_left -= 1
        if self._calls_left <= 0:
            self.is_alive = False
            raise RuntimeFailedError(f"{self.id}: the page crashed")
        return await super().run(feeds, fetches)


def trace(*pages: Page, memory_bytes: int = 1 << 30) -> tuple[dict[tuple[str, str], str], Mapping[RuntimeId, object]]:
    """Roles by point and kind of runtime, and failures."""
    tracer = Tracer(
        Python("float32"), Python("float64"), pages, {"x": X}, is_graph=False, fixed_batch=False,
        memory_bytes=memory_bytes, nan=NanPolicy.FAIL, advance=lambda *_: None,
    )  # fmt: skip
    traced = asyncio.run(tracer.trace({"y": "negated"}))
    roles = {(p.name, r.runtime.kind): r.role for p in traced.trace.points for r in p.results}
    return roles, traced.failures


def test_the_point_that_errs_alone_is_the_source_and_the_next_one_passes_it_on() -> None:
    wrong = {**KERNELS, "root": lambda x: np.sqrt(x) * np.float32(1.001)}
    roles, failures = trace(Page("webgl", wrong), Page("cpu"))
    assert failures == {}
    assert [roles[name, "webgl"] for name in KERNELS] == ["ok", "source", "passes-on"]
    assert {roles[name, "cpu"] for name in KERNELS} == {"ok"}


def test_a_runtime_that_dies_keeps_what_it_gave_and_leaves_the_others_alone() -> None:
    one_a_group = 4 * 6 * 45
    roles, failures = trace(Page("webgl", dies_at=4), Page("cpu"), memory_bytes=one_a_group)
    assert [name for name, kind in roles if kind == "webgl"] == ["twice"]
    assert [name for name, kind in roles if kind == "cpu"] == list(KERNELS)
    assert [str(runtime) for runtime in failures] == ["chromium:webgl"]


def test_a_point_that_could_not_run_alone_is_a_source_only_if_all_it_reads_is_right() -> None:
    from types import SimpleNamespace
    from typing import Any

    failing: Any = SimpleNamespace(passed=False)
    assert role(failing, None, handing_on=False, inputs_fail=False) == "source"
    assert role(failing, None, handing_on=False, inputs_fail=True) == "passes-on"
    assert role(failing, None, handing_on=True, inputs_fail=False) == "passes-on"
    assert role(None, None, handing_on=False, inputs_fail=False) == "unknown"


@pytest.mark.parametrize(
    ("text", "size"), [("1GiB", 1 << 30), ("512MiB", 512 << 20), ("2GB", 2 * 10**9), ("700kB", 700_000), ("12", 12)]
)
def test_a_memory_is_a_number_with_a_unit(text: str, size: int) -> None:
    from pycheck.config import build

    assert build({"trace_memory": text}).trace_memory == size


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("trace_memory", "much", "--trace-memory much: write a size such as 512MiB or 2GiB"),
        ("trace_memory", "0", "--trace-memory is 0; it must be at least 1"),
        ("trace_samples", 0, "--trace-samples is 0; it must be at least 1"),
    ],
)
def test_what_is_no_size_and_no_count_is_refused(option: str, value: object, message: str) -> None:
    from pycheck.config import build

    with pytest.raises(UsageError, match=message):
        build({option: value})
