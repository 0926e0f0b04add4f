"""Runs the artifact point by point: Python computes a group while the runtimes work on earlier groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..artifact import Point
from ..errors import RuntimeFailedError
from ..runtimes.browser.litert_parts import LitertParts
from ..runtimes.browser.page import BrowserRuntime
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..system.together import together
from ..types import (
    HANDING_ON,
    Array,
    Comparison,
    Effect,
    Hidden,
    NanPolicy,
    OutputSplit,
    PointResult,
    Repeat,
    RuntimeId,
    Trace,
    TracePoint,
)
from . import causes, groups
from .asking import Asker, Measured
from .effects import Effects, worth_measuring
from .expecting import Expectations, InFloat32, Work
from .hidden import wrong_together
from .long_sums import LongSumsOfPoints
from .measuring import in_samples, located, renumbered, role
from .probing import Probed


@dataclass(frozen=True, slots=True)
class Traced:
    """The result of a trace, and the error of each runtime that did not reach its end."""

    trace: Trace
    failures: Mapping[RuntimeId, RuntimeFailedError]
    reference: RuntimeId  # artifact:float64; artifact:float32 if that cannot run; artifact:litert
    outputs: Mapping[str, Array]  # of the reference, by the artifact's names
    singles: Mapping[str, Array]  # the same outputs of artifact:float32, or of artifact:litert


class Tracer:
    """The tracer of one artifact on a few samples; `feeds` are its inputs, by the artifact's names.

    `samples` are the indices of the samples in the whole input. `double` is None if artifact:float64 cannot run; then
    artifact:float32 is the reference. `is_graph` says whether it is a graph artifact, in which TF.js can only feed a
    whole node. `long_sums` widen the limits of operations that add many terms.
    """

    def __init__(
        self,
        single: ArtifactRuntime | LitertPoints,
        double: ArtifactRuntime | None,
        candidates: Sequence[BrowserRuntime | LitertParts],
        feeds: Mapping[str, Array],
        *,
        slots: asyncio.Semaphore,
        samples: Sequence[int],
        is_graph: bool,
        memory_bytes: int,
        nan: NanPolicy,
        advance: Callable[[RuntimeId, int, int], None],
        in_float32: InFloat32 | None = None,
        long_sums: LongSumsOfPoints | None = None,
    ) -> None:
        self._in_float32 = in_float32
        self._long_sums = long_sums
        self._single = single
        self._double = double
        self._candidates = candidates
        self._slots = slots
        self._askers: list[Asker] = []
        self._nan = nan
        self._feeds = feeds
        self._samples = tuple(samples)
        self._is_graph = is_graph
        self._memory_bytes = memory_bytes
        self._advance = advance
        self._skipped: dict[str, str] = {}
        self._described: dict[str, TracePoint] = {}
        self._results: dict[tuple[str, RuntimeId], PointResult] = {}

    async def trace(self, outputs: Mapping[str, str], probed: Probed) -> Traced:
        """Trace the points that were probed; `outputs` maps the model's names of its outputs to the artifact's.

        RuntimeFailedError if the artifact does not run in Python. If a runtime fails, its error is in `failures`, and
        its results until then are kept.
        """
        wanted = set(outputs.values())
        self._askers = [Asker(page, self._slots, self._feeds, self._nan, wanted) for page in self._candidates]
        self._skipped |= probed.skipped
        python = Expectations(
            self._single,
            self._double,
            self._feeds,
            skipped=probed.skipped,
            whole_nodes=self._is_graph,
            wanted=wanted,
            in_float32=self._in_float32,
        )
        traced = [point for point in probed.points if point.name not in self._skipped]
        elements = probed.elements(len(self._samples))
        plan = groups.cut(traced, elements, runtimes=len(self._askers), memory_bytes=self._memory_bytes)
        self._skipped |= plan.too_large
        await self._run(plan, python)
        splits = await self._splits(outputs, python)
        repeats = await self._repeats(outputs, python)
        points = await self._with_effects([self._conclude(point) for point in probed.points], outputs, python)
        trace = Trace(
            sample_count=len(self._samples),
            memory_bytes=self._memory_bytes,
            group_count=plan.group_count,
            points=points,
            splits=splits,
            samples=self._samples,
            notes=tuple(python.notes),
            repeats=repeats,
            hidden=await self._hidden(outputs, python),
        )
        values = {name: single if double is None else double for name, (single, double) in python.outputs.items()}
        singles = {name: single for name, (single, _) in python.outputs.items()}
        failures = {asker.id: asker.over for asker in self._askers if asker.over}
        return Traced(trace, failures, (self._double or self._single).id, values, singles)

    async def _run(self, plan: groups.Plan, python: Expectations) -> None:
        """Run the whole plan, with one task for Python and one for each runtime; the first error ends the others."""
        queues: list[_Queue] = [asyncio.Queue() for _ in self._askers]
        work = [
            self._compute(plan, python, queues),
            *(self._ask(asker, queue, plan) for asker, queue in zip(self._askers, queues, strict=True)),
        ]
        await together(work)

    async def _compute(self, plan: groups.Plan, python: Expectations, queues: Sequence[_Queue]) -> None:
        """Compute Python's values group by group, as far ahead of the runtimes as memory allows."""
        pool = groups.Pool(self._memory_bytes - plan.kept_bytes)
        last_read = {name: point.name for point in plan.points for name in point.inputs}
        place = {point.name: number for number, point in enumerate(plan.points)}
        done = 0
        for segment in plan.segments:
            for queue in queues:
                queue.put_nowait(segment)
            for group in segment.groups:
                await pool.take(group.size_bytes)
                if self._askers and all(asker.over for asker in self._askers):
                    pool.give(group.size_bytes)
                    break
                done += len(group.points)
                read_later = {name for name, by in last_read.items() if place[by] >= done}
                work = await python.of(group, read_later, plan.kept_bytes)
                self._described |= work.described
                loan = _Loan(pool, group.size_bytes, len(queues))
                for queue in queues:
                    queue.put_nowait((work, loan))
        for queue in queues:
            queue.put_nowait(None)

    async def _ask(self, asker: Asker, queue: _Queue, plan: groups.Plan) -> None:
        """Run one runtime to the end of the plan."""
        done = 0
        while (item := await queue.get()) is not None:
            if isinstance(item, groups.Segment):
                await asker.begin(item)
                continue
            work, loan = item
            measured = await asker.ask(work)
            for point in work.points:
                if point.name in measured:
                    found = await self._with_long_sums(point, measured[point.name], work)
                    self._results[point.name, asker.id] = self._judged(point, asker.id, found, work)
            loan.give_back()
            done += len(work.points)
            if asker.over is None:
                self._advance(asker.id, done, len(plan.points))

    async def _with_long_sums(self, point: Point, measured: Measured, work: Work) -> Measured:
        if measured.own is None or self._long_sums is None:
            return measured
        operands = {name: work.operands[name] for name in point.inputs}
        own, inherited = await self._long_sums.judged(measured.own, measured.inherited, operands)
        return replace(measured, own=own, inherited=inherited)

    def _judged(self, point: Point, runtime: RuntimeId, measured: Measured, work: Work) -> PointResult:
        """Decide the role of a point; the roles of its inputs are already known."""
        before = [self._results.get((name, runtime)) for name in point.inputs if name not in self._feeds]
        judged = PointResult(
            runtime,
            role(
                measured.inherited,
                measured.own,
                handing_on=point.op in HANDING_ON,
                inputs_fail=any(b is None or b.inherited is None or b.inherited.passed is False for b in before),
            ),
            measured.inherited,
            measured.own,
            measured.note,
            undecided=work.inherited[point.name].undecided_count,
        )
        shape = work.inherited[point.name].single.shape
        if judged.role == "source":
            operands = {name: work.operands[name] for name in point.inputs if name in work.operands}
            is_complex = (work.described[point.name].dtype or "").startswith("complex")
            judged = located(judged, point.op, operands, shape, is_complex=is_complex)
        return renumbered(judged, self._samples, shape)

    async def _splits(self, outputs: Mapping[str, str], python: Expectations) -> tuple[OutputSplit, ...]:
        """Compare the artifact in Python with each browser, for every output."""
        names = list(dict.fromkeys(outputs.values()))
        await python.of_outputs(names)
        await asyncio.gather(*(asker.see_to(names) for asker in self._askers))
        rows: dict[str, list[Comparison]] = {output: [] for output in outputs}
        for asker in self._askers:
            for output, name in outputs.items():
                result = self._results.get((name, asker.id))
                comparison = result.inherited if result and not asker.runs_outputs_alone else None
                if comparison is None and name in asker.outputs:
                    comparison = asker.compare(name, asker.outputs[name], python.expected(name, *python.outputs[name]))
                if comparison:
                    rows[output].append(replace(comparison, tensor=output))
        return tuple(OutputSplit(output, None, tuple(rows[output])) for output in outputs)

    async def _repeats(self, outputs: Mapping[str, str], python: Expectations) -> tuple[Repeat, ...]:
        """Find the outputs that differ if a runtime, or Python, computes them again."""
        names = list(dict.fromkeys(outputs.values()))
        first = {name: python.outputs[name][0] for name in names}
        again, *others = await asyncio.gather(
            self._single.run(self._feeds, names), *(asker.once_more(names) for asker in self._askers)
        )
        found = [*causes.repeats(self._single.id, outputs, first, again, self._samples)]
        for asker, other in zip(self._askers, others, strict=True):
            found += causes.repeats(asker.id, outputs, asker.outputs, other, self._samples)
        return tuple(found)

    async def _hidden(self, outputs: Mapping[str, str], python: Expectations) -> tuple[Hidden, ...]:
        """Find the outputs that are wrong, but right in the run that returns the values of all points."""
        found = []
        for asker in self._askers:
            for output, name in outputs.items() if isinstance(self._single, LitertPoints) else ():
                result = self._results.get((name, asker.id))
                if name not in asker.outputs or result is None or not (result.inherited and result.inherited.passed):
                    continue
                if (
                    asker.compare(name, asker.outputs[name], python.expected(name, *python.outputs[name])).passed
                    is False
                ):
                    assert isinstance(self._single, LitertPoints)
                    ends = await wrong_together(asker, self._single, self._feeds, python, name)
                    found.append(Hidden(asker.id, output, *(ends or (None, None))))
        return tuple(found)

    async def _with_effects(
        self, points: Sequence[TracePoint], outputs: Mapping[str, str], python: Expectations
    ) -> tuple[TracePoint, ...]:
        """Add the effect of each source on the outputs."""
        by_name = {point.name: point for point in self._single.points}
        effects = Effects(
            self._double or self._single,
            self._feeds,
            outputs,
            {output: python.expected(name, *python.outputs[name]) for output, name in outputs.items()},
        )
        found: dict[tuple[str, RuntimeId], Effect] = {}
        for asker in self._askers:
            for described, result in worth_measuring(points, asker):
                point = by_name[described.name]
                alone = result.own is not None and result.own.passed is False
                operands = await self._single.run(self._feeds, point.inputs) if alone else None
                value = await asker.value_of(point, operands)
                if value is None or value.shape != described.shape:
                    continue
                if effect := await effects.of(point.name, value, described.dtype, asker.compare):
                    found[point.name, asker.id] = effect
        return tuple(
            replace(p, results=tuple(replace(r, effect=found.get((p.name, r.runtime))) for r in p.results))
            for p in points
        )

    def _conclude(self, point: Point) -> TracePoint:
        blank = self._described.get(point.name) or TracePoint(
            point.name, point.op, point.layer, point.inputs, merged=point.merged, loops=point.loops
        )
        results = [self._results.get((point.name, asker.id)) for asker in self._askers]
        skipped = self._skipped.get(point.name)
        if blank.shape is None and skipped is None:
            skipped = "every runtime ended first"
        origin = blank.origin
        if origin:
            origin = replace(origin, element=in_samples(origin.element, self._samples, blank.shape or ()))
        return replace(blank, results=tuple(r for r in results if r is not None), skipped=skipped, origin=origin)


class _Loan:
    """Memory of one group, given back when Python and all runtimes have finished the group."""

    def __init__(self, pool: groups.Pool, size_bytes: int, borrowers: int) -> None:
        self._pool = pool
        self._size_bytes = size_bytes
        self._borrowers = borrowers + 1
        self.give_back()  # Python has finished the group when the loan is made

    def give_back(self) -> None:
        self._borrowers -= 1
        if not self._borrowers:
            self._pool.give(self._size_bytes)


_Queue = asyncio.Queue[groups.Segment | tuple[Work, _Loan] | None]
