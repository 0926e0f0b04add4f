"""Describes the share of small faults that a comparison would notice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from ..types import Power, PowerShare, Report, RuntimeId, Severity
from .wording import names, printable


def lines(report: Report) -> Iterator[tuple[str, str]]:
    """Return label and text: the share of small faults that each runtime's limits notice, or why it is unknown."""
    power = report.power
    if power is None:
        return
    if power.note:
        yield "power", printable(power.note)
    if power.shares:
        groups = _alike(power)
        texts = [_share(share, "" if len(groups) == 1 else f" on {names(ids, len(ids))}") for share, ids in groups]
        yield "power", f"notices {_fault(power)} in {'; in '.join(texts)}{_unknown(power)}"


def weakness(report: Report) -> str:
    """Return a remark on a pass that proves little; otherwise an empty text."""
    return _weak(report) if report.passed else ""


def weakness_of(report: Report, runtimes: Collection[RuntimeId]) -> str:
    """Return a remark on these runtimes, which passed, if that proves little; otherwise an empty text."""
    power = report.power
    shares = tuple(share for share in power.shares if share.runtime in runtimes) if power else ()
    return _weak(replace(report, power=replace(power, shares=shares) if power else None))


def _weak(report: Report) -> str:
    reasons = list(_reasons(report))
    return f"a weak test: {'; '.join(reasons)}" if reasons else ""


def _reasons(report: Report) -> Iterator[str]:
    power = report.power
    for share, ids in _alike(power) if power else ():
        if power and share.is_weak:
            where = "" if len(ids) == len(power.shares) else f" on {names(ids)}"
            only = f"only {share.noticed_count:,}" if share.noticed_count else "none"
            yield f"{_fault(power)} would be noticed in {only} of the {_tensors(share.weight_count)}{where}"
            break
    for table in power.tables if power else ():
        if table.is_poor:
            where = printable(table.layer or table.name)
            yield f"the inputs reach {table.reached_count:,} of the {table.row_count:,} rows of {where}"
            break
    if any(finding.code == "equal-outputs" and finding.severity is Severity.WARNING for finding in report.findings):
        yield "the outputs are the same for all samples"


def _alike(power: Power) -> list[tuple[PowerShare, list[object]]]:
    """Group the runtimes that have the same share, the smallest share first."""
    found: dict[int, tuple[PowerShare, list[object]]] = {}
    for share in sorted(power.shares, key=lambda share: share.noticed_count):
        found.setdefault(share.noticed_count, (share, []))[1].append(share.runtime)
    return list(found.values())


def _fault(power: Power) -> str:
    return f"a fault of {100 * power.fault:.3g} %"


def _share(share: PowerShare, where: str) -> str:
    percent = 100 * share.noticed_count // share.weight_count
    return f"{share.noticed_count:,} of {_tensors(share.weight_count)} ({percent} %){where}"


def _tensors(count: int) -> str:
    return f"{count:,} weight tensor{'' if count == 1 else 's'}"


def _unknown(power: Power) -> str:
    count = sum(weight.method == "unknown" for weight in power.weights)
    return f"; {count:,} more were not measured" if count else ""
