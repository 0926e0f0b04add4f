"""Writes the report for CI servers as JUnit XML: a suite for each model and runtime, a case for each output.

The dialect is that of Jenkins, GitLab and GitHub's actions: `failure` for a gate that failed, `error` for a runtime
that did not run, and `skipped` for either if it is excused, as pytest writes a test that is expected to fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..types import (
    CheckReport,
    Comparison,
    Finding,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
)
from . import check_view, mismatch, view, wording
from . import power as seeing

_ELEMENTS = 8


def render_junit(report: Report) -> str:
    """Render a report as JUnit XML; native runtimes and the noise floor are not cases."""
    root = Element("testsuites", name="pycheck")
    _suites(root, report)
    return _document(root)


def render_check_junit(check: CheckReport) -> str:
    """Render a check as JUnit XML; a variant without a report is an error, and the whole check has its own suite."""
    root = Element("testsuites", name="pycheck")
    if check.findings:
        _suite_of_findings(root, wording.printable(check.config), check_view.findings(check))
    for report in check.reports:
        _suites(root, report)
    for failure in check.failures:
        name = wording.printable(failure.name)
        suite = SubElement(root, "testsuite", name=name, tests="1", failures="0", errors="1", time="0.000")
        case = SubElement(suite, "testcase", classname=name, name="variant")
        message = wording.printable(" ".join(failure.message.split()))
        SubElement(case, "error", type="error", message=message).text = wording.printable(failure.advice)
    return _document(root)


def _document(root: Element) -> str:
    for kind in ("tests", "failures", "errors", "skipped"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in root)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suites(root: Element, report: Report) -> None:
    judged = [c for c in report.comparisons if not c.is_noise_floor]
    known = [r.id for r in report.runtimes]
    ids = dict.fromkeys([*(i for i in known if i.engine not in ("native", "artifact")), *(c.candidate for c in judged)])
    records = {record.id: record for record in report.runtimes}
    for runtime in ids:
        _suite(root, report, records.get(runtime), runtime, [c for c in judged if c.candidate == runtime])
    if others := _of_no_case(report):
        _suite_of_findings(root, _name(report, None), others)


def _suite_of_findings(root: Element, name: str, findings: Sequence[Finding]) -> None:
    """Add a case for each finding: a failure for an error; a passed case with the text as output for others."""
    count, failed = len(findings), sum(finding.severity is Severity.ERROR for finding in findings)
    suite = SubElement(root, "testsuite", name=name, tests=str(count), failures=str(failed), errors="0", time="0.000")
    for number, finding in enumerate(findings, 1):
        about = [str(part) for part in (finding.code, *finding.runtimes, finding.tensor) if part]
        again = f" {number}" if any(f.code == finding.code for f in findings[: number - 1]) else ""
        case = SubElement(suite, "testcase", classname=name, name=wording.printable(" ".join(about) + again))
        if finding.severity is Severity.ERROR:
            message = wording.printable(finding.summary)
            SubElement(case, "failure", type=finding.code, message=message).text = _lines(finding.advice)
        else:
            SubElement(case, "system-out").text = _lines(f"{finding.summary}\n{finding.advice}")


def _lines(text: str) -> str:
    return "\n".join(map(wording.printable, text.splitlines()))


def _of_no_case(report: Report) -> list[Finding]:
    """Return errors that no failed output and no failed runtime shows; without them the file would show no failure."""
    failed = {(c.candidate, c.tensor) for c in report.comparisons if c.failed}
    failing_tensors = {tensor for _, tensor in failed}
    broken = {r.id for r in report.runtimes if r.status is not RuntimeStatus.OK and not r.excused}
    return [
        f
        for f in report.findings
        if f.severity is Severity.ERROR
        and not any((runtime, f.tensor) in failed for runtime in f.runtimes)
        and not (not f.runtimes and f.tensor in failing_tensors)
        and not (f.tensor is None and broken.intersection(f.runtimes))
    ]


def _suite(
    root: Element, report: Report, record: RuntimeRecord | None, runtime: RuntimeId, comparisons: list[Comparison]
) -> None:
    failed = sum(c.failed for c in comparisons)
    excused = sum(c.excused is not None for c in comparisons) + bool(record and record.excused)
    broken = record is not None and record.status is not RuntimeStatus.OK
    seconds = sum(record.timings_s.values()) if record else 0.0
    suite = SubElement(
        root,
        "testsuite",
        name=_name(report, runtime),
        tests=str(len(comparisons) + broken),
        failures=str(failed),
        errors=str(int(broken and not (record and record.excused))),
        skipped=str(excused),
        time=f"{seconds:.3f}",
    )
    for name, text in view.environments(report):
        if name in (str(runtime), runtime.engine):
            properties = suite.find("properties")
            properties = SubElement(suite, "properties") if properties is None else properties
            SubElement(properties, "property", name=name, value=text)
    for name, text in seeing.lines(report):
        properties = suite.find("properties")
        properties = SubElement(suite, "properties") if properties is None else properties
        SubElement(properties, "property", name=name, value=text)
    for c in comparisons:
        _case(suite, report, c)
    if record and broken:
        case = SubElement(suite, "testcase", classname=_name(report, record.id), name="runtime")
        message = wording.printable((record.error or view.STATUS_WORDS[record.status]).partition("\n")[0])
        told = _told(report, record.id, None)
        if record.excused:
            _skipped(case, record.excused, f"{message}\n{told}")
        else:
            SubElement(case, "error", type=record.status.value, message=message).text = told


def _name(report: Report, runtime: RuntimeId | None) -> str:
    """Name a report so that servers can distinguish the cases of several reports."""
    return wording.printable(report.name or report.model.path) + (f" {runtime}" if runtime else "")


def _case(suite: Element, report: Report, c: Comparison) -> None:
    case = SubElement(suite, "testcase", classname=_name(report, c.candidate), name=wording.printable(c.tensor))
    if c.excused:
        _skipped(case, c.excused, _told(report, c.candidate, c))
    elif c.failed:
        kind = mismatch.kind(c)
        reasons = [f for f in _findings(report, c.candidate, c.tensor) if f.severity is Severity.ERROR]
        message = wording.printable(reasons[0].summary) if reasons else kind
        SubElement(case, "failure", type=kind, message=message).text = _told(report, c.candidate, c)
    else:
        SubElement(case, "system-out").text = _metrics(c)


def _skipped(case: Element, reason: str, told: str) -> None:
    SubElement(case, "skipped", type="excused", message=wording.printable(f"excused: {reason}")).text = told


def _told(report: Report, runtime: RuntimeId, c: Comparison | None) -> str:
    lines = []
    for finding in _findings(report, runtime, c.tensor if c else None):
        lines.append(f"{finding.severity.value} {finding.code}: {finding.summary}")
        lines += [f"  {line}" for line in finding.advice.splitlines()]
    if c:
        lines += [*mismatch.lines(c), _metrics(c)]
        for w in view.worst(c, _ELEMENTS):
            expected, given = wording.unlike(w.reference, w.candidate)
            values = f"Python {expected}, browser {given}"
            lines.append(f"{w.kind}: {w.place}: {values}")
    return "\n".join(wording.printable(line) for line in lines)


def _findings(report: Report, runtime: RuntimeId, tensor: str | None) -> list[Finding]:
    """Return the findings about a runtime and an output, or about all of them."""
    return [
        f
        for f in report.findings
        if f.tensor == tensor and (runtime in f.runtimes or (not f.runtimes and f.severity is not Severity.INFO))
    ]


def _metrics(c: Comparison) -> str:
    tolerance = f", limit used {wording.used(c.limit_use)} (limit: {c.tolerance.derivation})" if c.tolerance else ""
    errors = ((name, wording.short(e)) for name, e in (("max", c.max_abs_error), ("RMS", c.rms_error)))
    return (
        f"{', '.join(f'{name} error {e}' for name, e in errors)}, ULP {wording.short(c.max_ulp_error)}, "
        f"NaN/Inf introduced {c.nonfinite.introduced}, masked {c.nonfinite.masked}{tolerance}"
    )
