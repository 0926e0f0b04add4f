"""What the page of a bundle holds of its operation: the values of each side, and how far they may differ."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.cut import Cut
from pycheck.bundle.operation import Outcome
from pycheck.bundle.page import PAGE_FILE, Content, bundle_files
from pycheck.tracing.measuring import Expected, compare_point
from pycheck.types import Array, Environment, NanPolicy, RuntimeId, Tolerance, TracePoint

WEBGL = RuntimeId.parse("chromium:webgl")
SINGLE = np.array([[1.0, 2.0]], np.float32)
DOUBLE = np.array([[1.0, 2.0 + 1e-9]])


def outcome(double: Array | None) -> Outcome:
    """Of an operation whose second element drifts on WebGL."""
    given = np.array([[1.0, 2.5]], np.float32)
    expected = Expected(SINGLE, double, is_measured=True)
    comparison = compare_point("y", given, expected, WEBGL, precision_bits=32, nan=NanPolicy.FAIL)
    return Outcome({"x": SINGLE}, SINGLE, double, given, comparison)


def shown(made: Outcome) -> dict[str, Any]:
    """The data of the page."""
    cut = Cut("graph", {"node": []}, None, (), {"x": "input_0"}, "y", {})
    point = TracePoint("y", "Relu", None, ("x",))
    tfjs, python = Environment("tfjs 4.22.0"), Environment("tensorflow 2.19.0")
    page = bundle_files(Content("0.1.0", point, WEBGL, tfjs, python, cut, made, ()))[PAGE_FILE].decode()
    data = re.search(r"^const found = (.*);$", page, re.M)
    assert data is not None
    found: dict[str, Any] = json.loads(data[1])
    return found


def values(tensor: dict[str, Any]) -> list[Any]:
    stored = np.frombuffer(base64.b64decode(tensor["data"]), np.dtype(tensor["dtype"]).newbyteorder("<"))
    found: list[Any] = stored.reshape(tensor["shape"]).tolist()
    return found


def test_the_page_judges_by_the_float64_and_the_limit_of_the_comparison() -> None:
    made = outcome(DOUBLE)
    tolerance = made.comparison.tolerance
    assert tolerance is not None and tolerance.max_abs is not None and 0.0 < tolerance.max_abs < 0.5
    data = shown(made)
    assert data["limit"] == tolerance.max_abs
    assert values(data["tensorflow"]) == SINGLE.tolist()
    assert values(data["tensorflowFloat64"]) == DOUBLE.tolist()
    assert values(data["reported"]) == made.given.tolist()


@pytest.mark.parametrize("double", [None, DOUBLE[:, :1]], ids=["none", "another shape"])
def test_without_a_float64_that_fits_the_page_judges_by_float32(double: Array | None) -> None:
    assert shown(replace(outcome(DOUBLE), double=double))["tensorflowFloat64"] is None


def test_no_limit_at_all_is_null_for_json_has_no_infinity() -> None:
    made = outcome(DOUBLE)
    unlimited = replace(made.comparison, tolerance=Tolerance("auto", max_abs=math.inf))
    assert shown(replace(made, comparison=unlimited))["limit"] is None
