"""Decisions of Python's function on the outputs of fake runtimes; the page's own function is in test_files.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.decisions import difference
from pycheck.errors import InputsFileError, UsageError
from pycheck.runtimes.fake import Fault
from pycheck.types import FailedFile, PipelineRow
from pycheck.workflow.files.deciding import _file_decision

from ..conftest import Cli
from ..fakes import Fakes, dense

CPU = "chromium:cpu"
CODE = """
import numpy as np

def load(path):
    return np.array(path.read_text().split(), np.float32)

def decide(y):
    assert y.shape == (1, 3) and y.dtype == np.float32
    best = int(y.argmax())
    return {"label": "abc"[best], "score": y[0, best]}

def by_name(outputs):
    return sorted((name, *array.shape) for name, array in outputs.items())

def picky(y):
    if y[0, 0] == picky.first[0, 0]:
        raise KeyError("not this one")
    return "fine"

def never(y):
    raise KeyError("no label")

def odd(y):
    return {1, 2}

def above_all(y):
    return False

def above(y):
    return bool(y[0, 0] > above.border)
"""


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model m.keras, files/0.txt to files/7.txt, and code.py; it is the current folder."""
    monkeypatch.chdir(tmp_path)
    fakes.save(tmp_path / "m.keras")
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "files").mkdir()
    for number, row in enumerate(np.random.default_rng(1).normal(size=(8, 4))):
        (tmp_path / "files" / f"{number}.txt").write_text(" ".join(map(str, row)))
    return tmp_path


def _compare(work: Path, function: str = "decide", **options: Any) -> pycheck.Report:
    given = {"preprocess": "code.py:load", "postprocess": f"code.py:{function}", "runtimes": CPU, **options}
    return pycheck.compare(work / "m.keras", work / "files", **given)


def _row(report: pycheck.Report) -> PipelineRow:
    assert report.pipeline is not None
    (row,) = report.pipeline.rows
    return row


def test_python_decides_of_the_outputs_of_both_if_the_page_has_no_function(work: Path) -> None:
    report = _compare(work)
    row = _row(report)
    assert report.passed, report.findings
    assert (row.decided_count, row.changed_count, row.changed_by_postprocessing) == (8, 0, None)
    assert isinstance(row.files[0].decision, str) and json.loads(row.files[0].decision)["label"] in "abc"


def test_a_runtime_that_changes_decisions_is_blamed(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_(CPU, Fault(lambda value: value[:, ::-1]))
    options = ["--preprocess", "code.py:load", "--postprocess", "code.py:decide", "--runtime", CPU]
    told = command("compare", work / "m.keras", work / "files", *options, "--json", work / "r.json")
    assert told.code == 1
    (row,) = json.loads((work / "r.json").read_text())["pipeline"]["rows"]
    assert row["changed_count"] == row["changed_by_runtime"] > 0 == row["changed_by_preprocessing"]
    verdict = " ".join(told.out.split("\n\n")[0].split())
    assert (
        f"{row['changed_count']} of 8 files get a different decision on {CPU}: {row['changed_by_runtime']}" in verdict
    )
    assert "by the runtime; chromium:cpu differs from Python" in verdict
    first = row["files"][0]
    assert first["by"] == ["runtime"] and first["change"].startswith("label: ")
    assert "decisions-differ" in told.out and "code.py:decide, also of the page's outputs" in told.out


def test_samples_of_arrays_have_decisions_too(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_(CPU, Fault(lambda value: value[:, ::-1]))
    given = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    np.save(work / "inputs.npy", given)
    options = ["--postprocess", "code.py:decide", "--runtime", CPU]
    told = command("compare", work / "m.keras", work / "inputs.npy", *options)
    assert told.code == 1
    assert "of 8 samples get a different decision on chromium:cpu" in " ".join(told.out.split())
    assert "\nSamples that change most\n" in told.out and "From the input to the answer" in told.out
    assert "file" not in told.out.partition("Environment")[0].replace("model.keras", "")
    report = pycheck.compare(work / "m.keras", given, postprocess="code.py:decide", runtimes=CPU)
    assert report.pipeline is not None and report.pipeline.unit == "sample"
    assert _row(report).changed_count == _row(_compare(work)).changed_count > 0
    assert {file.name for file in _row(report).files} <= {f"sample {number}" for number in range(8)}


def test_a_saved_run_is_judged_again_with_its_files(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_(CPU, Fault(lambda value: value[:, ::-1]))
    report = _compare(work, save_run=work / "run")
    assert report.pipeline is not None and report.pipeline.rows[0].passed is False
    again = pycheck.rejudge(work / "run")
    assert again.pipeline == report.pipeline and again.findings == report.findings
    assert command("report", work / "run", "--decisions-changed", "1").out.count("different decision")
    assert _row(pycheck.rejudge(work / "run", decisions_changed=1)).passed


def test_several_outputs_are_given_by_name(work: Path, fakes: Fakes) -> None:
    fakes.save(work / "m.keras", dense(outputs={"scores": 3, "box": 4}))
    assert _row(_compare(work, "by_name")).files[0].decision == '[["box",1,4],["scores",1,3]]'


def test_decisions_that_are_all_the_same_are_told(work: Path, fakes: Fakes) -> None:
    report = _compare(work, "above_all", runtimes=[CPU, "chromium:wasm"])
    assert report.pipeline is not None and report.passed
    (note,) = report.pipeline.notes  # once for both runtimes
    assert note.startswith("all files get the same decision in Python, false: ")


def test_a_file_that_the_function_refuses_is_named_and_the_others_go_on(work: Path) -> None:
    text = CODE.replace("y[0, 0] == picky.first[0, 0]", "picky.calls.append(1) or len(picky.calls) % 8 == 3")
    (work / "code.py").write_text(f"{text}\npicky.calls = []\n")
    report = _compare(work, "picky")
    assert report.pipeline is not None and _row(report).decided_count == 7
    assert report.pipeline.failed == (FailedFile("2.txt", None, "KeyError: 'not this one'", "postprocess"),)
    (found,) = [finding for finding in report.findings if finding.code == "file-fails"]
    assert "2.txt: Python cannot postprocess its outputs: KeyError" in found.summary


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("never", r"a decision for none of the 8 files\. 0\.txt: KeyError: 'no label'"),
        ("odd", "the function returned set"),
    ],
)
def test_a_function_that_decides_of_no_file_ends_the_run(work: Path, function: str, told: str) -> None:
    with pytest.raises(InputsFileError, match=told):
        _compare(work, function)


@pytest.mark.parametrize(
    ("inputs", "options", "told"),
    [
        ("files", {"preprocess": "code.py:load", "postprocess": "code.py:decode"}, "Did you mean decide"),
        ("files", {"preprocess": "code.py:load", "js_postprocess": "post.js"}, "no decision of Python to compare"),
    ],
)
def test_what_cannot_have_an_effect_is_refused(work: Path, inputs: Any, options: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        pycheck.compare(work / "m.keras", inputs, runtimes=CPU, **options)  # type: ignore[arg-type]


def test_roundoff_at_a_border_changes_no_decision_but_is_told(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_(CPU, Fault(lambda value: value + np.float32(5e-7)))
    sample = np.array((work / "files" / "0.txt").read_text().split(), np.float32)
    (model,) = fakes.models.values()
    border = float((sample @ model.weights["y/kernel"])[0])
    with (work / "code.py").open("a") as file:
        file.write(f"\nabove.border = {border + 2.5e-7!r}\n")
    report = _compare(work, "above")
    row = _row(report)
    assert report.passed and (row.changed_count, row.roundoff_count) == (0, 1)
    options = ["--preprocess", "code.py:load", "--postprocess", "code.py:above", "--runtime", CPU]
    told = command("compare", work / "m.keras", work / "files", *options)
    assert "roundoff alone changes the decision of 1 file" in " ".join(told.out.split())


def test_a_share_of_changed_decisions_may_be_allowed(work: Path, fakes: Fakes) -> None:
    def wrong(value: Any) -> Any:
        return np.concatenate([value[:1, ::-1], value[1:]])

    fakes.break_(CPU, Fault(wrong))
    for share, passes in ((0.1, False), (0.125, True)):
        report = _compare(work, decisions_changed=share, atol=100.0)  # which allows no other decision
        assert (_row(report).changed_count, _row(report).passed) == (1, passes)
        (found,) = [finding for finding in report.findings if finding.code == "decisions-differ"]
        assert found.severity == ("warning" if passes else "error")
        assert report.passed is passes


def test_a_budget_limits_the_share_of_changed_decisions(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_(CPU, Fault(lambda value: np.concatenate([value[:1, ::-1], value[1:]])))
    settings = 'atol = 100\ndecisions_changed = 0.5\npreprocess = "code.py:load"\npostprocess = "code.py:decide"\n'
    (work / "pycheck.toml").write_text(
        f'runtimes = ["{CPU}"]\n{settings}[[models]]\npath = "m.keras"\ninputs = "files"\n'
        "[[budgets]]\ndecisions_changed = 0\n"
    )
    told = command("check")
    assert told.code == 1
    assert f"12.5 % of the files get another decision on {CPU}; the budget is at most 0 %" in " ".join(told.out.split())
    (work / "pycheck.toml").write_text((work / "pycheck.toml").read_text().replace("changed = 0\n", "changed = 0.2\n"))
    assert command("check").code == 0


# --- one file


def _decided(python: list[Any], page: list[Any], near: list[bool] | None = None) -> tuple[str, tuple[str, ...], bool]:
    made = _file_decision(python, page, near or [True, False, False, False], difference)
    return made.change, made.by, made.is_roundoff


def test_each_part_is_blamed_for_what_it_changes_alone() -> None:
    # Python's function on: Python's outputs, the browser's, Python's on the page's input, the page's.
    assert _decided(["a", "a", "a", "a"], ["a", "a"]) == ("", (), False)
    assert _decided(["a", "b", "c", "c"], ["a", "c"]) == ("a -> c", ("preprocessing", "runtime"), False)
    assert _decided(["a", "a", "a", "a"], ["b", "b"]) == ("a -> b", ("postprocessing",), False)
    assert _decided(["a", "a", "b", "b"], ["b", "a"]) == ("", ("preprocessing", "postprocessing"), False)  # hidden
    assert _decided(["a", "a", "a", "b"], []) == ("a -> b", (), False)  # only together


def test_roundoff_excuses_the_outputs_and_not_the_postprocessing() -> None:
    near = [True, True, True, True]
    assert _decided(["a", "b", "b", "b"], ["a", "b"], near) == ("", (), True)
    assert _decided(["a", "a", "a", "b"], ["a", "c"], near) == ("a -> c", (), False)
    assert _decided(["a", "a", "a", "a"], ["b", "b"], near) == ("a -> b", ("postprocessing",), False)
