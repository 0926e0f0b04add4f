from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.checks import accepting
from pycheck.errors import InputError
from pycheck.report import render
from pycheck.report.codec import decode
from pycheck.report.json import (
    check_schema,
    check_to_dict,
    render_check_json,
    report_from_dict,
    report_schema,
    report_to_dict,
)
from pycheck.report.terminal import render_terminal
from pycheck.types import CheckReport, Finding, Report, Severity, VariantFailure, Verdict

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"

#: DESIGN's contract, key by key.
CONTRACT = {
    "": "schema_version pycheck_version model artifact inputs runtimes comparisons findings verdict",
    "model": "path format sha256 inputs outputs",
    "artifact": "format quantization bytes converter reason",
    "inputs": "path sha256 sample_count",
    "runtimes": "id status environment timings_s error",
    "comparisons": "reference candidate tensor element_count finite_count max_abs_error mean_abs_error rms_error "
    "max_rel_error max_ulp_error cosine_similarity sqnr_db top1_agreement noise_floor tolerance nonfinite worst passed",
    "findings": "code severity runtimes tensor layer summary evidence advice",
}


def valid(data: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """JSON Schema 2020-12 for the keywords that ours uses; any other one is refused."""
    assert set(schema) <= {"$ref", "$schema", "$id", "$defs", "title", "anyOf", "enum", "const", "type", "items",
                           "required", "properties", "additionalProperties"}, schema.keys()  # fmt: skip
    if "$ref" in schema:
        return valid(data, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema and not any(valid(data, option, root) for option in schema["anyOf"]):
        return False
    if "enum" in schema and data not in schema["enum"]:
        return False
    if "const" in schema and data != schema["const"]:
        return False
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
             "null": type(None)}  # fmt: skip
    if "type" in schema:
        kind = schema["type"]
        if not isinstance(data, kinds[kind]) or (isinstance(data, bool) and kind != "boolean"):
            return False
    if isinstance(data, list):
        return all(valid(item, schema.get("items", {}), root) for item in data)
    if not isinstance(data, dict):
        return True
    properties = schema.get("properties", {})
    rest = schema.get("additionalProperties", {})
    return set(schema.get("required", ())) <= set(data) and all(
        valid(item, properties.get(key, rest), root) for key, item in data.items()
    )


def test_the_json_has_every_key_of_the_contract(report: Report) -> None:
    data = report_to_dict(report)
    assert data["schema_version"] == 1
    for place, keys in CONTRACT.items():
        parts = data if not place else data[place]
        for part in parts if isinstance(parts, list) else [parts]:
            assert set(keys.split()) <= set(part), place
    counts = data["comparisons"][0]["nonfinite"]
    assert counts["classes"] == ["finite", "nan", "+inf", "-inf"]
    assert [len(row) for row in counts["counts"]] == [4, 4, 4, 4]
    assert {"introduced", "masked"} <= set(counts)


def test_a_report_is_valid_by_its_schema_and_a_broken_one_is_not(report: Report) -> None:
    schema = report_schema()
    data = json.loads(render(report, "json"))
    root = schema["$defs"]["Report"]
    assert valid(data, root, schema)
    assert not valid(data | {"schema_version": 2}, root, schema)
    assert not valid(data | {"verdict": "fine"}, root, schema)
    assert not valid({k: v for k, v in data.items() if k != "findings"}, root, schema)
    broken = data | {"comparisons": [data["comparisons"][0] | {"max_abs_error": "small"}]}
    assert not valid(broken, root, schema)


def test_the_schema_that_is_written_down_is_the_one_of_the_types() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == report_schema(), (
        "write it anew: pycheck schema > docs/report.schema.json"
    )


def test_a_report_read_back_is_the_same(report: Report) -> None:
    data = json.loads(render(report, "json"))
    again = report_from_dict(data)
    assert report_to_dict(again) == data
    assert repr(replace(again, findings=())) == repr(replace(report, findings=()))


def test_a_report_read_back_prints_the_same_flags(reports: dict[str, Report]) -> None:
    report = next(iter(reports.values()))
    flags = {"LARGEST": "Infinity", "LEAST": "-Infinity", "NONE": "NaN", "PACK": True, "COUNT": 3}
    records = tuple(
        replace(r, environment=replace(r.environment, flags=flags, flags_set=flags)) if r.environment else r
        for r in report.runtimes
    )
    report = replace(report, runtimes=records)
    again = report_from_dict(json.loads(json.dumps(report_to_dict(report))))
    for kind in ("html", "markdown", "junit", "json"):
        assert render(again, kind) == render(report, kind), kind
    shown = render_terminal(report, verbosity=2)
    assert render_terminal(again, verbosity=2) == shown
    assert "LARGEST=Infinity" in shown and "PACK=True" in shown
    assert accepting.environment(again) == accepting.environment(report)


def test_non_finite_numbers_are_words_and_come_back_as_numbers(reports: dict[str, Report]) -> None:
    report = reports["with_nan"]
    text = render(report, "json")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    worst = [w for c in report_to_dict(report)["comparisons"] for w in c["worst"]]
    assert {"NaN", "Infinity"} <= {w["candidate"] for w in worst} | {w["reference"] for w in worst}
    again = [w for c in report_from_dict(json.loads(text)).comparisons for w in c.worst]
    assert any(math.isnan(w.candidate) for w in again)


def test_evidence_may_hold_numpy_values(reports: dict[str, Report]) -> None:
    evidence = {"error": np.float32(np.inf), "count": np.int64(3), "rows": np.arange(2), "deep": {"x": (1, 2.5)}}
    finding = Finding("drift", Severity.ERROR, "", "", evidence=evidence)
    data = report_to_dict(replace(reports["passing"], findings=(finding,)))
    assert data["findings"][0]["evidence"] == {
        "error": "Infinity",
        "count": 3,
        "rows": [0, 1],
        "deep": {"x": [1, 2.5]},
    }


def test_a_report_of_a_newer_minor_version_reads_and_an_older_one_takes_defaults(reports: dict[str, Report]) -> None:
    data = report_to_dict(reports["passing"])
    data["of_a_later_version"] = {"new": True}
    del data["command"]
    assert report_from_dict(data) == replace(reports["passing"], command="", findings=report_from_dict(data).findings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: [], "no schema_version"),
        (lambda data: data | {"schema_version": 9}, "schema_version 9; this pycheck reads 1"),
        (lambda data: data | {"verdict": "fine"}, "verdict: 'fine' is not a valid Verdict"),
        (lambda data: data | {"model": 3}, "model: expected an object, found 3"),
        (lambda data: data | {"runtimes": [{"id": "edge:cpu"}]}, "unknown engine 'edge'"),
        (
            lambda data: data | {"inputs": data["inputs"] | {"sample_count": "x"}},
            "inputs.sample_count: expected a whole",
        ),
        (lambda data: {k: v for k, v in data.items() if k != "findings"}, "findings is missing"),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(reports: dict[str, Report], change: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        report_from_dict(change(report_to_dict(reports["passing"])))
    assert message in str(error.value)


def test_a_report_gives_itself_as_data(reports: dict[str, Report]) -> None:
    assert pycheck.Report.of(reports["passing"]).to_dict() == report_to_dict(reports["passing"])


def test_an_unknown_kind_of_report_is_refused(reports: dict[str, Report]) -> None:
    with pytest.raises(ValueError, match="pdf"):
        render(reports["passing"], "pdf")


def test_a_check_is_data_with_its_reports_and_the_written_schema_is_that_of_the_code(
    reports: dict[str, Report],
) -> None:
    report = replace(reports["with_nan"], name="cnn/float16")
    failure = VariantFailure("two", "two.keras does not exist", "Name a file.", 2)
    unused = Finding("setting-unused", Severity.WARNING, "A budget had nothing to measure.", "")
    check = CheckReport("0.1.0", "pycheck.toml", (report,), (failure,), Verdict.NAN_DIVERGENCE, 1.5, "", (unused,))
    data = pycheck.CheckReport.of(check).to_dict()
    assert [found["code"] for found in data["findings"]] == ["setting-unused"]
    assert check_to_dict(decode(data, CheckReport)) == data
    assert data["reports"] == [{k: v for k, v in report_to_dict(report).items() if k != "schema_version"}]
    assert data["failures"][0]["exit_code"] == 2
    assert (data["schema_version"], data["verdict"]) == (1, "nan_divergence")
    json.loads(render_check_json(check), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    written = json.loads((SCHEMA_FILE.parent / "check.schema.json").read_text())
    assert written == check_schema(), "python docs/make_check.py writes it anew"
