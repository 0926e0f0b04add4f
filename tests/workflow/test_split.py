"""What changes an output, by file: its parts, and the decisions that count as changed."""

from __future__ import annotations

import numpy as np

from pycheck.workflow.files.split import FileDecision, _add_output, _Output

PYTHON = np.array([[0.5, 0.5 - 1e-9, 0.0], [0.2, 0.7, 0.1]])


def _page(first: list[float], second: list[float]) -> _Output:
    result = _Output()
    page = np.array([first, second])
    _add_output(result, [PYTHON, PYTHON, page, page], 1e-6)
    return result


def test_roundoff_that_decides_a_tie_changes_no_decision() -> None:
    result = _page([0.5 - 1e-9, 0.5, 0.0], [0.2, 0.7, 0.1])
    assert result.decisions == [FileDecision(0, 0, is_roundoff=True), FileDecision(1, 1)]


def test_a_change_beyond_the_limit_changes_the_decision() -> None:
    result = _page([0.4, 0.5, 0.1], [0.7, 0.2, 0.1])
    first, second = result.decisions
    assert (first.change, first.by, first.is_roundoff) == ("0 -> 1", ("preprocessing",), False)
    assert (second.change, second.by) == ("1 -> 0", ("preprocessing",))
    assert second.margin is not None and abs(second.margin - 0.5) < 1e-9  # 0.7 for its class, 0.2 for the page's
    np.testing.assert_allclose([file[2] for file in result.by_file], [0.1, 0.5])
    assert result.errors[1].largest == 0.0  # the runtime changes nothing


def test_a_runtime_that_decides_otherwise_on_the_same_input_is_blamed() -> None:
    result = _Output()
    browser = np.array([[0.4, 0.5, 0.1], [0.2, 0.7, 0.1]])
    _add_output(result, [PYTHON, browser, PYTHON, browser], 1e-6)
    assert [decision.by for decision in result.decisions] == [("runtime",), ()]


def test_a_nan_on_one_side_is_an_infinite_change_and_on_both_sides_none() -> None:
    nan = float("nan")
    result = _Output()
    both = np.array([[nan, 1.0]])
    _add_output(result, [both, both, np.array([[nan, 1.0]]), np.array([[0.0, 1.0]])], None)
    assert result.by_file == [(0.0, 0.0, float("inf"))]
