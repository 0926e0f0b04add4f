"""The report for CI servers: JUnit XML, a suite for each model and runtime and a case for each output.

The dialect is the one that Jenkins, GitLab and GitHub's actions read: `failure` for a gate
that failed, `error` for a runtime that did not run.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..types import Comparison, Finding, Report, RuntimeId, RuntimeRecord, RuntimeStatus, Severity
from . import mismatch, view, wording

_ELEMENTS = 8


def render_junit(*reports: Report) -> str:
    """Reports as JUnit XML; native runtimes and the noise floor are no cases."""
    root = Element("testsuites", name="pycheck")
    for report in reports:
        _suites(root, report)
    for kind in ("tests", "failures", "errors"):
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


def _suite(
    root: Element, report: Report, record: RuntimeRecord | None, runtime: RuntimeId, comparisons: list[Comparison]
) -> None:
    failed = sum(c.passed is False for c in comparisons)
    broken = record is not None and record.status is not RuntimeStatus.OK
    seconds = sum(record.timings_s.values()) if record else 0.0
    suite = SubElement(
        root,
        "testsuite",
        name=_name(report, runtime),
        tests=str(len(comparisons) + broken),
        failures=str(failed),
        errors=str(int(broken)),
        time=f"{seconds:.3f}",
    )
    for name, text in view.environments(report):
        if name in (str(runtime), runtime.engine):
            properties = suite.find("properties")
            properties = SubElement(suite, "properties") if properties is None else properties
            SubElement(properties, "property", name=name, value=text)
    for c in comparisons:
        _case(suite, report, c)
    if record and broken:
        case = SubElement(suite, "testcase", classname=_name(report, record.id), name="runtime")
        message = wording.printable((record.error or view.STATUS_WORDS[record.status]).partition("\n")[0])
        SubElement(case, "error", type=record.status.value, message=message).text = _told(report, record.id, None)


def _name(report: Report, runtime: RuntimeId) -> str:
    """Servers tell cases of several reports apart by this."""
    return f"{wording.printable(report.model.path)} {runtime}"


def _case(suite: Element, report: Report, c: Comparison) -> None:
    case = SubElement(suite, "testcase", classname=_name(report, c.candidate), name=wording.printable(c.tensor))
    if c.passed is False:
        kind = mismatch.kind(c)
        reasons = [f for f in _findings(report, c.candidate, c.tensor) if f.severity is Severity.ERROR]
        message = wording.printable(reasons[0].summary) if reasons else kind
        SubElement(case, "failure", type=kind, message=message).text = _told(report, c.candidate, c)
    else:
        SubElement(case, "system-out").text = _metrics(c)


def _told(report: Report, runtime: RuntimeId, c: Comparison | None) -> str:
    lines = []
    for finding in _findings(report, runtime, c.tensor if c else None):
        lines += [f"{finding.severity.value} {finding.code}: {finding.summary}", f"  {finding.advice}"]
    if c:
        lines += [*mismatch.lines(c), _metrics(c)]
        for w in view.worst(c, _ELEMENTS):
            values = f"Python {wording.full(w.reference)}, browser {wording.full(w.candidate)}"
            lines.append(f"{w.kind}: sample {w.sample} {list(w.index)}: {values}")
    return "\n".join(wording.printable(line) for line in lines)


def _findings(report: Report, runtime: RuntimeId, tensor: str | None) -> list[Finding]:
    """Those about a runtime and an output, or about what both belong to."""
    return [
        f
        for f in report.findings
        if f.tensor == tensor and (f.runtime == runtime or (f.runtime is None and f.severity is not Severity.INFO))
    ]


def _metrics(c: Comparison) -> str:
    tolerance = f" (limit: {c.tolerance.derivation})" if c.tolerance else ""
    errors = ((name, wording.short(e)) for name, e in (("max", c.max_abs_error), ("RMS", c.rms_error)))
    return (
        f"{', '.join(f'{name} error {e}' for name, e in errors)}, ULP {wording.short(c.max_ulp_error)}, "
        f"NaN/Inf introduced {c.nonfinite.introduced}, masked {c.nonfinite.masked}{tolerance}"
    )
