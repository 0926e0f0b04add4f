"""A trace for other programs: rows for a data frame, a graph and node data for Model Explorer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.cli import main as cli
from pycheck.report.model_explorer import model_explorer_files
from pycheck.types import Report

from .conftest import Traced, healthy, points, with_role

pytestmark = pytest.mark.real


RUNTIMES = ("chromium:cpu", "chromium:webgl")
RELU = "made_1/no_less_than_none_1/Relu"


def small_nan() -> tuple[Any, Any]:
    """A relu of -Inf, which is NaN on WebGL, and a product after it."""
    import keras

    layers = keras.layers
    x = keras.Input((48,), name="readings")
    endless = layers.Rescaling(-1e30, name="endless")(layers.Rescaling(1e30, name="large")(x))
    y = layers.Dense(48, name="after")(layers.ReLU(name="no_less_than_none")(endless))
    inputs = np.full((8, 48), -1e-30, np.float32)
    inputs[3] = 1.0
    return keras.Model(x, y, name="made"), inputs


@pytest.fixture(scope="module")
def nan(traced: Traced) -> Report:
    return traced(small_nan, format="graph", runtimes=RUNTIMES)


@pytest.fixture(scope="module")
def files(nan: Report) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in model_explorer_files(nan).items()}


def test_the_table_has_a_row_for_every_point_and_runtime_and_the_numbers_of_the_trace(nan: Report) -> None:
    assert nan.trace is not None
    rows = nan.trace.table()
    assert [(row["point"], row["runtime"]) for row in rows] == [
        (point.name, runtime) for point in points(nan) for runtime in RUNTIMES
    ]
    (source,) = (row for row in rows if row["role"] == "source")
    ((point, result),) = with_role(nan, "source")
    assert (source["op"], source["layer"], source["runtime"]) == ("Relu", "no_less_than_none", "chromium:webgl")
    assert result.own is not None and result.inherited is not None
    assert source["own_introduced"] == source["own_class_changed"] == result.own.nonfinite.introduced > 0
    assert source["own_passed"] is source["inherited_passed"] is False
    assert source["inherited_max_abs_error"] == result.inherited.max_abs_error
    assert source["overflow_headroom"] == point.overflow_headroom


def test_the_table_loads_into_pandas(nan: Report) -> None:
    pandas = pytest.importorskip("pandas")
    assert nan.trace is not None
    frame = pandas.DataFrame(nan.trace.table())
    assert list(frame[frame.role == "source"].op) == ["Relu"]
    assert frame.groupby("runtime").own_class_changed.sum()["chromium:cpu"] == 0


def test_a_point_that_was_skipped_has_a_row_that_says_why(traced: Traced) -> None:
    report = traced(healthy, format="graph", runtimes=("chromium:cpu",), trace_memory="20kB")
    assert report.trace is not None
    skipped = [row for row in report.trace.table() if row["runtime"] is None]
    assert skipped
    assert all("--trace-memory" in row["note"] and row["own_passed"] is None for row in skipped)


def test_model_explorer_gets_a_graph_whose_edges_lead_to_its_nodes(nan: Report, files: dict[str, Any]) -> None:
    (graph,) = files["graph.json"]
    ids = [node["id"] for node in graph["nodes"]]
    assert graph["id"] == "graph"
    assert len(set(ids)) == len(ids)
    assert {point.name for point in points(nan)} | {"readings"} == set(ids)
    assert {edge["sourceNodeId"] for node in graph["nodes"] for edge in node["incomingEdges"]} <= set(ids)


def test_node_data_tells_the_share_of_the_limit_and_where_values_are_not_finite(files: dict[str, Any]) -> None:
    assert set(files) == {"graph.json"} | {
        f"{runtime.replace(':', '-')}-{measure}.json" for runtime in RUNTIMES for measure in ("own", "inherited")
    }
    own, inherited = files["chromium-webgl-own.json"], files["chromium-webgl-inherited.json"]
    ids = {node["id"] for node in files["graph.json"][0]["nodes"]}
    assert set(own["results"]) <= ids
    assert own["results"][RELU]["value"].endswith("NaN/Inf")
    assert own["results"][RELU]["bgColor"] == own["thresholds"][-1]["bgColor"]
    after = next(name for name in own["results"] if "after" in name)
    assert own["results"][after]["value"] < 1
    assert inherited["results"][after]["value"].endswith("NaN/Inf")


def test_every_number_of_the_node_data_is_finite_and_has_a_colour(files: dict[str, Any]) -> None:
    for name, data in files.items():
        if name == "graph.json":
            continue
        bounds = [threshold["value"] for threshold in data["thresholds"]]
        for result in data["results"].values():
            assert isinstance(result["value"], str) or 0 <= result["value"] <= bounds[-1]


def test_a_folder_that_is_in_use_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").touch()
    for option in ("--model-explorer", "--bundle"):
        assert cli.run(["trace", "no.keras", option, str(tmp_path / "here")]) == 2
        assert "the folder exists" in capsys.readouterr().err
