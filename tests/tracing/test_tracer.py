"""The order of a trace and what it keeps, with runtimes that are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.errors import RuntimeFailedError, UsageError
from pycheck.tracing import groups
from pycheck.tracing.asking import Outcome
from pycheck.tracing.measuring import role
from pycheck.tracing.probing import probe
from pycheck.tracing.tracer import Traced, Tracer
from pycheck.types import ARTIFACT_FLOAT32, Array, Environment, NanPolicy, RuntimeId, Trace

#: x -> twice -> root -> negated, the middle one of which a backend gets wrong.
POINTS = tuple(
    Point(name, op, (read,), name, f"{name}:0", False)
    for name, op, read in (("twice", "Mul", "x"), ("root", "Sqrt", "twice"), ("negated", "Neg", "root"))
)
KERNELS: Mapping[str, Callable[[Array], Array]] = {"twice": lambda x: 2 * x, "root": np.sqrt, "negated": lambda x: -x}
X = np.linspace(1.0, 2.0, 24, dtype=np.float32).reshape(4, 6)


class Python:
    """Executes the points in one precision."""

    id = ARTIFACT_FLOAT32

    def __init__(
        self,
        dtype: str,
        kernels: Mapping[str, Callable[[Array], Array]] = KERNELS,
        points: tuple[Point, ...] = POINTS,
    ) -> None:
        self.points = points
        self._dtype = dtype
        self._kernels = kernels

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        values = {name: value.astype(self._dtype) for name, value in feeds.items()}
        for point in self.points:
            if point.name not in values and point.inputs[0] in values:
                values[point.name] = self._kernels[point.name](values[point.inputs[0]]).astype(self._dtype)
        return {name: values[name] for name in fetches}


class Page:
    """A browser that dies at one of its calls."""

    environment = Environment("made up", float_bits=32)

    def __init__(self, kind: str, kernels: Mapping[str, Callable[[Array], Array]] = KERNELS, dies_at: int = 0) -> None:
        self._python = Python("float32", kernels)
        self.id = RuntimeId("chromium", kind)
        self.is_alive = True
        self._calls_left = dies_at or 1000
        self._held: dict[str, Array] = {}

    async def run_jobs(
        self, feeds: Mapping[str, Array], jobs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]
    ) -> list[Outcome]:
        self._count()
        return [await self._python.run({name: feeds[name] for name in fed}, fetches) for fed, fetches in jobs]

    async def hold(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> None:
        self._count()
        self._held = await self._python.run(feeds, fetches)

    async def take(self, names: Sequence[str]) -> dict[str, Array]:
        self._count()
        return {name: self._held.pop(name) for name in names}

    def _count(self) -> None:
        self._calls_left -= 1
        if self._calls_left <= 0:
            self.is_alive = False
            raise RuntimeFailedError(f"{self.id}: The page crashed")


def trace(
    *pages: Page,
    memory_bytes: int = 1 << 30,
    kernels: Mapping[str, Callable[[Array], Array]] = KERNELS,
    points: tuple[Point, ...] = POINTS,
) -> tuple[Trace, Mapping[RuntimeId, object]]:
    """A trace and its failures."""

    async def work() -> Traced:
        single, double = (Python(dtype, kernels, points) for dtype in ("float32", "float64"))
        tracer = Tracer(
            single, double, pages, {"x": X}, slots=asyncio.Semaphore(2), samples=range(4), is_graph=False,
            memory_bytes=memory_bytes, nan=NanPolicy.FAIL, advance=lambda *_: None,
        )  # fmt: skip
        async with asyncio.timeout(60):
            return await tracer.trace(
                {"y": points[-1].name}, await probe(single, {"x": X}, points, samples=len(X), is_graph=False)
            )

    traced = asyncio.run(work())
    return traced.trace, traced.failures


def roles_of(trace: Trace) -> dict[tuple[str, str], str]:
    """By point and kind of runtime."""
    return {(point.name, result.runtime.kind): result.role for point in trace.points for result in point.results}


def test_the_point_that_errs_alone_is_the_source_and_the_next_one_passes_it_on() -> None:
    wrong = {**KERNELS, "root": lambda x: np.sqrt(x) * np.float32(1.001)}
    traced, failures = trace(Page("webgl", wrong), Page("cpu"))
    roles = roles_of(traced)
    assert failures == {}
    assert [roles[name, "webgl"] for name in KERNELS] == ["ok", "source", "passes-on"]
    assert {roles[name, "cpu"] for name in KERNELS} == {"ok"}


def test_a_runtime_that_dies_keeps_what_it_gave_and_leaves_the_others_alone() -> None:
    one_a_group = 4 * X.size * 50
    hold_take_and_jobs = 3
    traced, failures = trace(Page("webgl", dies_at=hold_take_and_jobs + 1), Page("cpu"), memory_bytes=one_a_group)
    roles = roles_of(traced)
    assert traced.group_count == len(POINTS)
    assert [name for name, kind in roles if kind == "webgl"] == ["twice"]
    assert [name for name, kind in roles if kind == "cpu"] == list(KERNELS)
    assert [str(runtime) for runtime in failures] == ["chromium:webgl"]


def test_a_trace_whose_runtimes_have_all_died_ends_however_much_is_left() -> None:
    names = [f"negated_{number}" for number in range(16)]
    points = tuple(
        Point(name, "Neg", (read,), name, f"{name}:0", False) for name, read in zip(names, ["x", *names], strict=False)
    )
    one_a_group_and_few_a_segment = 36 * X.size
    kernels = dict.fromkeys(names, KERNELS["negated"])
    page = Page("webgl", kernels, dies_at=1)
    traced, failures = trace(page, memory_bytes=one_a_group_and_few_a_segment, kernels=kernels, points=points)
    assert traced.group_count == len(names)
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
    from pycheck.options.reading import build

    assert build({"trace": True, "trace_memory": text}).trace_memory == size


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("trace_memory", "much", "--trace-memory much"),
        ("trace_memory", "0", "--trace-memory 0"),
        ("trace_samples", 0, "--trace-samples 0"),
    ],
)
def test_what_is_no_size_and_no_count_is_refused(option: str, value: object, message: str) -> None:
    from pycheck.options.reading import build

    with pytest.raises(UsageError, match=message):
        build({"trace": True, option: value})


@pytest.mark.parametrize(
    ("elements", "runtimes", "expected"),
    [
        (1000, 1, 400 << 20),
        (16 << 20, 1, (16 << 20) * (32 + 4)),
        (16 << 20, 4, (16 << 20) * (56 + 4)),
        (1 << 28, 1, 1 << 30),
    ],
    ids=["all fit", "the largest needs more", "for many runtimes", "too large"],
)
def test_a_trace_takes_more_memory_only_for_a_value_that_needs_it(elements: int, runtimes: int, expected: int) -> None:
    found = groups.usual_memory(POINTS, dict.fromkeys(["x", *KERNELS], elements), runtimes=runtimes)
    assert found == expected
    plan = groups.cut(POINTS, dict.fromkeys(["x", *KERNELS], elements), runtimes=runtimes, memory_bytes=found)
    assert bool(plan.too_large) == (elements == 1 << 28)
